/* A scanner is a keyboard faster than any hand, and ends with Enter. If no field has the focus, what it reads is looked
   up: its letters are not keys of this page, and its Enter presses nothing. */

import { inField, keysOff, withModifier } from "./keyboard.js";
import { page } from "./page.js";

const SCANNED_MS = 50;
let scanned = "";
let scannedAt = -Infinity;
let sought = "";

/* A key acts only once it is sure that no scanner struck it. */
let strike = 0;
export const strikeSoon = (act) => { strike = setTimeout(act, SCANNED_MS); };
export const dropStrike = () => clearTimeout(strike);

export const readScanner = (event) => {
  if (event.repeat || withModifier(event) || inField(event)) return;
  const isSign = event.key.length === 1 && event.key !== " ";
  const isEnter = event.key === "Enter" && scanned.length > 1;
  if (!isSign && !isEnter) return;
  const isNext = event.timeStamp - scannedAt < SCANNED_MS;
  /* A repeated character counts as a bouncing key until another one follows: some codes begin with a repeated one. */
  const isBounce = scanned !== "" && scanned === event.key.repeat(scanned.length);
  if (isNext) dropStrike();
  if (isNext && !isBounce) {
    event.preventDefault();
    event.stopImmediatePropagation();
  }
  if (isNext && isEnter) lookUp(scanned);
  scanned = isEnter ? "" : (isNext ? scanned : "") + event.key;
  if (isSign) scannedAt = event.timeStamp;
};

const lookUp = (code) => {
  const search = page.querySelector('[aria-keyshortcuts="V"]');
  if (!search || keysOff()) return;
  sought = code;
  search.click();
};

export const forgetSought = () => { sought = ""; };

/* Searches for the scanned code in the panel that was opened for it. */
export const seek = () => {
  const query = document.getElementById("query");
  if (!sought || !query) return;
  query.value = sought;
  sought = "";
  query.form.requestSubmit();
};
