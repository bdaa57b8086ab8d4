/* The number of a desk, typed into a panel. It ends as soon as no longer number begins with it, else with Enter. */

import { panel, setText } from "./page.js";

let typed = "";

export const isTyping = () => typed !== "";
export const forgetNumber = () => { typed = ""; };

export const typeDigit = (digit) => {
  if (!panel()) return;
  typed += digit;
  const desks = [...panel().querySelectorAll("[data-desk]")];
  const begins = desks.filter((each) => each.dataset.desk.startsWith(typed));
  if (!begins.length) typed = "";
  setText(document.getElementById("typed"), typed);
  if (begins.length === 1 && begins[0].dataset.desk === typed) endNumber();
};

export const endNumber = () => {
  const desk = panel()?.querySelector(`[data-desk="${CSS.escape(typed)}"]`);
  typed = "";
  setText(document.getElementById("typed"), "");
  desk?.click();
};
