/* The answers to commands. */

import { keepsNew } from "./page.js";
import { isWaitedFor } from "./panels.js";

/* An answer stays until something else happens at the desk. What happened just before it may be shown within this time
   after it. */
const ANSWERED_MS = 2000;
const answer = document.getElementById("answer");
const lastLine = () => document.querySelector(".last")?.textContent;
let answeredAt = 0;
let answeredTo = "";

new MutationObserver(() => {
  answeredAt = performance.now();
  answeredTo = lastLine();
}).observe(answer, { childList: true });

export const clearAnswer = () => answer.replaceChildren();

export const forgetAnswer = () => {
  if (performance.now() - answeredAt < ANSWERED_MS) answeredTo = lastLine();
  else if (lastLine() !== answeredTo) clearAnswer();
};

/* The last action is announced to screen readers if the headline stays the same: a recall, a pause to come. */
const headline = () => document.getElementById("headline").textContent;
const done = () => {
  const line = document.querySelector(".last");
  return { at: line.dataset.at, text: line.querySelector("span")?.textContent ?? "" };
};
let heard = { ...done(), headline: headline() };

export const newlyDone = () => {
  const before = heard;
  heard = { ...done(), headline: headline() };
  const isNew = heard.at !== before.at || heard.text !== before.text;
  return isNew && heard.headline === before.headline ? heard.text : "";
};

/* A failing server's answer is for programs: the page shows a sentence instead, unless a panel refreshed itself. */
export const sayFailed = (event) => {
  const { ctx } = event.detail;
  const kind = ctx.response?.headers.get("content-type") ?? "text/html";
  if (kind.startsWith("text/html")) return;
  event.preventDefault();
  if (!keepsNew(ctx)) answer.innerHTML = document.getElementById("failed").innerHTML;
};

/* For a command, and for the panel that is waited for. */
export const sayUnanswered = (event) => {
  const { ctx } = event.detail;
  if (ctx?.request?.method !== "POST" && !isWaitedFor(ctx)) return;
  answer.innerHTML = document.getElementById("unanswered").innerHTML;
};
