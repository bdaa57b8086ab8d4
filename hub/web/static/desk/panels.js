/* Panels: a request opens them, they refresh themselves, and the page closes them without a request. */

import { focusIn, inherit, isLost, placeIn } from "./focus.js";
import { noteMeaning } from "./hurry.js";
import { forgetNumber } from "./number.js";
import { keepsNew, panel, queue } from "./page.js";
import { dropStrike, forgetSought, seek } from "./scanner.js";

/* The link or button that opened the panel, and its place: it may be gone when the panel closes. */
let opener = { element: null, id: "", row: -1 };
const focusBack = () => inherit(queue(), opener, document.getElementById("ticket"));
/* The request whose panel is waited for: until the panel is there, the page's keys do nothing. */
let opening = null;

export const isOpening = () => opening !== null;
export const isWaitedFor = (ctx) => ctx === opening;

export const leave = () => {
  document.getElementById("panel").replaceChildren();
  dropStrike();
  opening = null;
  forgetSought();
  forgetNumber();
  focusBack();
};

export const noteFrom = (event) => {
  const { ctx } = event.detail;
  ctx.from = ctx.request.submitter?.closest(".panel");
};

export const noteAsked = (event) => {
  const { ctx } = event.detail;
  /* A panel that refreshes itself is not waited for. */
  if (ctx.request.method !== "GET" || keepsNew(ctx)) return;
  opening = ctx;
  /* A scanned code is for the search that it opened, not for one that somebody opens later. */
  if (!ctx.sourceElement.matches('[aria-keyshortcuts="V"]')) forgetSought();
  if (!panel()) opener = placeIn(queue(), ctx.sourceElement);
};

const asksAnew = (ctx, tasks) => !ctx.from && !panel() && !opening
  && tasks.some(({ type, fragment }) => type === "oob" && fragment.querySelector(".panel"));

/* An answer may come while something else is being done. So a command's answer closes only the panel that it was sent
   from, or replaces that panel with a question. The answer to a command sent from no panel may ask a question while no
   panel is open or waited for. Of the panels asked for, only the last one opens, and only if it was not left before. */
export const allowSwap = (event) => {
  const { ctx, tasks } = event.detail;
  if (!ctx.request) return;
  if (keepsNew(ctx)) {
    ctx.focused = focusIn(ctx.sourceElement);
    return;
  }
  if (ctx.request.method === "GET" && ctx !== opening) event.preventDefault();
  if (asksAnew(ctx, tasks)) opener = placeIn(queue(), ctx.request.submitter);
  else if (!ctx.from?.isConnected) tasks.splice(0, tasks.length, ...tasks.filter(({ type }) => type !== "oob"));
  ctx.changesPanel = !event.defaultPrevented && tasks.some(({ target }) => target?.closest("#panel"));
};

/* Selects the query when it is sent, so that what is typed or scanned next replaces it. When the answer comes, the next
   text may already be there. */
export const chooseSought = (event) => {
  if (event.target.id === "search") document.getElementById("query").select();
};

const settle = () => {
  forgetNumber();
  seek();
  if (panel()) panel().querySelector("[data-focus]")?.focus();
  else if (isLost()) focusBack();
};

export const afterRequest = (event) => {
  const { ctx } = event.detail;
  if (ctx === opening) opening = null;
  if (ctx.focused && panel() && isLost()) inherit(panel(), ctx.focused, panel().querySelector("h2"));
  if (ctx.changesPanel) settle();
  noteMeaning();
};
