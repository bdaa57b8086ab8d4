/* Online and offline: while the hub is not heard, nothing can be done from this page. */

import { clockText, minutesText, now, setClock, showTimes } from "./clock.js";
import { own, page, root, say, setText } from "./page.js";

/* The hub sends something every 5 s; a page that missed two messages may be out of date. */
const SILENT_MS = 12000;
let heard = now();
/* When the last connection was begun: it may fall silent before its first message. */
let begun = heard;
let lostSince = 0;
let connection = null;
let isLoggingOut = false;

export const isOffline = () => lostSince > 0;

export const tick = () => {
  const moment = now();
  showTimes(moment);
  if (moment - Math.max(heard, begun) > SILENT_MS) {
    lose(heard);
    abandon();
  }
  if (!lostSince) return;
  document.querySelectorAll(".lost-for").forEach((each) => setText(each, minutesText(moment - lostSince)));
};

export const pale = () => {
  page.querySelectorAll("button, a.plaque, .next, .action, .small, .mode[role], .row-link").forEach((each) => {
    if (each.getAttribute("aria-disabled") !== "true") each.dataset.paled = "";
    each.setAttribute("aria-disabled", "true");
  });
};

/* Only an open panel: the picture that comes draws everything else anew. */
const unpale = () => {
  document.querySelectorAll("#panel [data-paled]").forEach((each) => {
    each.removeAttribute("aria-disabled");
    delete each.dataset.paled;
  });
};

export const lose = (since) => {
  if (lostSince) return;
  lostSince = since;
  root.dataset.offline = "";
  setText(document.getElementById("known-at"), clockText(since));
  say(document.getElementById("connection").dataset.lost);
  pale();
  tick();
};

/* Treats a silent connection as closed, so that a new one is tried at once. Its own close event comes when the other
   side sends something, or a minute later, and is ignored. */
const abandon = () => {
  const socket = connection?.socket;
  begun = now();
  socket?.dispatchEvent(new CloseEvent("close", { code: 1006 }));
  socket?.addEventListener("close", (event) => event.stopImmediatePropagation(), { capture: true });
  socket?.close();
};

export const hear = (message) => {
  setClock(message);
  heard = now();
  /* If the computer's clock was set forward, the connection's beginning is in the future of the hub's clock. */
  begun = Math.min(begun, heard);
};

/* Called with a picture: a beat alone shows nothing new. Returns what to announce. */
export const regain = () => {
  if (!lostSince) return "";
  lostSince = 0;
  delete root.dataset.offline;
  unpale();
  return document.getElementById("connection").dataset.back;
};

export const begin = (event) => {
  connection = event.detail.connection;
  begun = now();
};

/* The hub's close codes: the session ended; its rights changed since the page was drawn; the site no longer has this
   desk. */
const SESSION_OVER = 4401;
const RIGHTS_CHANGED = 4403;
const DESK_GONE = 4404;

/* The answer to a logout leads on to another page, so the end of the session must not lead to the login as well. */
const isLogout = ({ request }) => request?.action.endsWith("/logout");
export const noteLogout = (event) => { isLoggingOut ||= isLogout(event.detail.ctx); };
export const noteStaying = (event) => {
  const { ctx } = event.detail;
  if (isLogout(ctx) && !(ctx.response?.status < 400)) isLoggingOut = false;
};

export const end = (event) => {
  lose(now());
  if (event.detail.code === SESSION_OVER && !isLoggingOut) location.assign(`${root.dataset.base}/login?to=${encodeURIComponent(own)}`);
  if ([RIGHTS_CHANGED, DESK_GONE].includes(event.detail.code)) location.reload();
};

export const goOffline = () => {
  lose(now());
  abandon();
};
