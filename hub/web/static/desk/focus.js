/* An element that is removed loses the focus silently. The focus then moves to an element in the same place that is
   safe to press: never to the button Suivant, unless Suivant had it. The button that takes the desk does not count as
   Suivant: who takes a desk did not ask to call. */

import { page, queue } from "./page.js";

const rowLinks = (within) => [...within.querySelectorAll(".row-link")];
export const placeIn = (within, element) => ({ element, id: element.id, row: rowLinks(within).indexOf(element) });

/* A hidden element keeps the focus until the browser draws anew. */
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

/* Suivant, or a button to sign on in its place: the one that is shown. */
const first = () => [...document.querySelectorAll(".next")].find((each) => each.offsetParent);

export const refocus = () => {
  if (!focused || !isLost()) return;
  if (focused.element.matches(".next:not(#take)")) focusOneOf([first()]);
  else inherit(queue(), focused, document.getElementById("ticket"));
};
