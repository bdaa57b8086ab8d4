/* What the page showed as the hand came down: a key waits until it is sure that no scanner struck it, a mouse until it is
   let go, and meanwhile somebody else may call. */

import { page } from "./page.js";

/* What is clicked without a hand, as by a reader of the screen, means what is shown by then. */
const SAME_HAND_MS = 1000;
const shown = () => page.querySelector("[name=shown]").value;
let seen = { ticket: "", at: -Infinity };

export const noteSeen = (event) => {
  if (!event.repeat) seen = { ticket: shown(), at: performance.now() };
};

export const ticketSeen = () => (performance.now() - seen.at < SAME_HAND_MS ? seen.ticket : shown());
