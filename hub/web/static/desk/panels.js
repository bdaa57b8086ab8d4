/* Panels: opened by a request, kept new by themselves, left by the page alone. */

import { focusIn, inherit, isLost, placeIn } from "./focus.js";
import { noteMeaning } from "./hurry.js";
import { forgetNumber } from "./number.js";
import { keepsNew, panel, queue } from "./page.js";
import { dropStrike, forgetSought, seek } from "./scanner.js";

/* The link or button that opened the panel, and where it stood: by now it may be gone. */
let opener = { element: null, id: "", row: -1 };
const focusBack = () => inherit(queue(), opener, document.getElementById("ticket"));
/* The request whose panel is waited for: until it stands, no key may mean something else. */
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
  /* A panel that keeps itself new disturbs nobody. */
  if (ctx.request.method !== "GET" || keepsNew(ctx)) return;
  opening = ctx;
  /* What was scanned is for the search that it opened, not for one that somebody opens later. */
  if (!ctx.sourceElement.matches('[aria-keyshortcuts="V"]')) forgetSought();
  if (!panel()) opener = placeIn(queue(), ctx.sourceElement);
};

const asksAnew = (ctx, tasks) => !ctx.from && !panel() && !opening
  && tasks.some(({ type, fragment }) => type === "oob" && fragment.querySelector(".panel"));

/* What was asked before is answered while something else is done. So a command's answer closes, or turns into its
   question, only the panel it was given from; and of panels asked for only the last one opens, where none was left. Given
   from no panel, it may ask while none stands or is waited for. */
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

/* What is typed or scanned next takes the place of what is sought. Not with the answer: by then, it may stand there
   already. */
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
