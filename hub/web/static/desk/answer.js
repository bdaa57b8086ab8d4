/* What was answered to a command. */

import { keepsNew } from "./page.js";
import { isWaitedFor } from "./panels.js";

/* A refusal is said until something else happened at the desk; what happened just before may be shown just after. */
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

/* What was done last, for those who hear the page, where its headline stays the same: a recall, a pause to come. */
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

/* What the server answers where it fails is for programs; whoever looks at the page reads a sentence, if they asked. */
export const sayFailed = (event) => {
  const { ctx } = event.detail;
  const kind = ctx.response?.headers.get("content-type") ?? "text/html";
  if (kind.startsWith("text/html")) return;
  event.preventDefault();
  if (!keepsNew(ctx)) answer.innerHTML = document.getElementById("failed").innerHTML;
};

/* A command, or the panel that is waited for. */
export const sayUnanswered = (event) => {
  const { ctx } = event.detail;
  if (ctx?.request?.method !== "POST" && !isWaitedFor(ctx)) return;
  answer.innerHTML = document.getElementById("unanswered").innerHTML;
};
