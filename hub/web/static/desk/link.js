/* Online, offline: the hub is heard, or nothing can be done from here. */

import { clockText, minutesText, now, setClock, showTimes } from "./clock.js";
import { own, page, root, say, setText } from "./page.js";

/* The hub speaks every 5 s; a page that missed two may be showing the past. */
const SILENT_MS = 12000;
let heard = now();
/* When the last link was begun: it may fall silent before it says a word. */
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

/* What is drawn anew comes as it is; an open panel stays as it stands. */
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

/* A link that only went silent counts as closed, so that a new one is tried at once: its own end comes when the other
   side says something, or a minute later, and is news to nobody. */
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
  /* Where the computer's clock was set forward, the link was begun in what is the future by now. */
  begun = Math.min(begun, heard);
};

/* By a picture: a beat alone shows nothing new. Gives what is to be said of it. */
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

/* The session ended, or may do other things than when the page was drawn, or the site has no such desk any more: the hub
   says so by the socket's code. */
const SESSION_OVER = 4401;
const RIGHTS_CHANGED = 4403;
const DESK_GONE = 4404;

/* Who logs out is led on by the answer to it, and the end of their session is no news. */
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
