/* The page's keys: a letter presses the control that names it, arrows move the focus, Escape closes the panel. */

import { controlOf, inField, keysOff, withModifier } from "./keyboard.js";
import { endNumber, isTyping, typeDigit } from "./number.js";
import { panel, queue } from "./page.js";
import { isOpening, leave } from "./panels.js";
import { strikeSoon } from "./scanner.js";

export const readKey = (event) => {
  if (event.repeat || withModifier(event) || isOpening()) return;
  const inSearch = event.target.matches("[type=search]") && /^Arrow(Down|Up)$/.test(event.key);
  if (inField(event) && event.key !== "Escape" && !inSearch) return;
  if (event.key === "Escape" && panel()) { event.preventDefault(); leave(); return; }
  if (event.key === "ArrowDown" || event.key === "ArrowUp") {
    /* With the keys off, the arrows belong to the browser unless a panel is open. */
    if (keysOff() && !panel()) return;
    event.preventDefault();
    move(event.key === "ArrowDown" ? 1 : -1);
    return;
  }
  if (keysOff()) return;
  if (event.key === "Enter" && isTyping()) { event.preventDefault(); endNumber(); return; }
  const digit = digitOf(event);
  if (digit ? !panel() : !/^[a-zA-Z?]$/.test(event.key)) return;
  event.preventDefault();
  strikeSoon(() => (digit ? typeDigit(digit) : press(event.key)));
};

/* On a French keyboard, a digit's key counts as the digit without Shift too. */
const digitOf = ({ key, code, shiftKey }) => (/^[0-9]$/.test(key) ? key : !shiftKey && /^Digit([0-9])$/.exec(code)?.[1]);

const press = (key) => {
  if (!isOpening()) controlOf(key)?.click();
};

const move = (step) => {
  const within = panel() ?? queue();
  const stops = [...within.querySelectorAll(".row-link, .choice, .desk-choice, .panel .small:not([form])")].filter((each) => each.offsetParent);
  const place = stops.indexOf(document.activeElement);
  const field = within.querySelector("[type=search]");
  if (field && step < 0 && place < 1) { goTo(field); return; }
  stops[place < 0 ? (step > 0 ? 0 : stops.length - 1) : Math.min(Math.max(place + step, 0), stops.length - 1)]?.focus();
};

/* Selects the field's text, as Tab does: what is typed next replaces it. */
const goTo = (field) => {
  if (field === document.activeElement) return;
  field.focus();
  field.select();
};

/* The space bar presses a link with the role of a button too. */
export const pressLink = (event) => {
  if (event.key !== " " || event.repeat || !event.target.matches("a[role=button]")) return;
  event.preventDefault();
  event.target.click();
};
