/* What the page showed as the hand came down: a key waits until it is sure that no scanner struck it, a mouse and the
   space bar until they are let go, and meanwhile somebody else may call. */

import { page } from "./page.js";

/* What is clicked without a hand, as by a reader of the screen, means what is shown by then. */
const SAME_HAND_MS = 1000;
const shown = () => page.querySelector("[name=shown]").value;
let seen = { ticket: "", key: "", at: -Infinity };

/* A mouse has no key. */
export const noteSeen = ({ repeat, code }) => {
  if (!repeat) seen = { ticket: shown(), key: code, at: performance.now() };
};

/* However long it was held. */
export const noteLetGo = ({ code }) => {
  if (code === seen.key) seen.at = performance.now();
};

export const ticketSeen = () => (performance.now() - seen.at < SAME_HAND_MS ? seen.ticket : shown());
