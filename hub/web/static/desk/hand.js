/* The held ticket that the page showed when a key or button went down. A key acts only once it is sure that no scanner
   struck it, a mouse button and the space bar when they are let go. Meanwhile somebody else may call. */

import { page } from "./page.js";

/* A click without a press just before it, as by a screen reader, means the ticket that is shown at the click. */
const SAME_HAND_MS = 1000;
const shown = () => page.querySelector("[name=shown]").value;
let seen = { ticket: "", key: "", at: -Infinity };

/* A mouse event has no `code`. */
export const noteSeen = ({ repeat, code }) => {
  if (!repeat) seen = { ticket: shown(), key: code, at: performance.now() };
};

/* The time counts from the release, however long the key was held. */
export const noteLetGo = ({ code }) => {
  if (code === seen.key) seen.at = performance.now();
};

export const ticketSeen = () => (performance.now() - seen.at < SAME_HAND_MS ? seen.ticket : shown());
