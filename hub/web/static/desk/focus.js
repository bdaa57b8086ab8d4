/* What is taken away loses focus without a word. Its heir is in the same place, and does nothing by itself: not Suivant,
   unless Suivant had it; who takes the desk has not called. */

import { page, queue } from "./page.js";

const rowLinks = (within) => [...within.querySelectorAll(".row-link")];
export const placeIn = (within, element) => ({ element, id: element.id, row: rowLinks(within).indexOf(element) });

/* What was hidden keeps the focus until the browser draws anew. */
const focusOneOf = (heirs) => heirs.some((heir) => {
  heir?.focus();
  return heir?.offsetParent && document.activeElement === heir;
});

export const inherit = (within, { element, id, row }, last) => {
  const rows = rowLinks(within);
  focusOneOf([element, document.getElementById(id), rows[Math.min(row, rows.length - 1)], last]);
};

export const isLost = () => document.activeElement === document.body || !document.activeElement.offsetParent;
export const focusIn = (within, list = within) => {
  const element = document.activeElement;
  return within.contains(element) ? placeIn(list, element) : null;
};

let focused = null;
export const keepFocus = () => { focused = focusIn(page, queue()); };

/* Suivant, or the way to be signed on in its place: the one of them that is shown. */
const first = () => [...document.querySelectorAll(".next")].find((each) => each.offsetParent);

export const refocus = () => {
  if (!focused || !isLost()) return;
  if (focused.element.matches(".next:not(#take)")) focusOneOf([first()]);
  else inherit(queue(), focused, document.getElementById("ticket"));
};
