/* A key struck twice in a hurry must not press a control that replaced the first one meanwhile. Enter reopens the desk,
   and would then call. F opens a panel, and may be a service in it. N reopens a visit, and would then withdraw its
   call. */

import { controlOf } from "./keyboard.js";

const DEAF_MS = 700;
/* A switch: struck again, it undoes what it did. */
const SWITCH = "U";
let struck = "";
let does = null;
let changedAt = -Infinity;

/* What the last key would do now. Null while its control is off: one that was off for a moment still means the same. */
const meaning = () => {
  const control = controlOf(struck);
  const address = control?.getAttribute("formaction") ?? control?.getAttribute("href") ?? null;
  /* The ticket too: N withdraws one call, then the one before, at the same address. */
  return address && `${address} ${control.dataset.ticket ?? ""}`;
};

/* Called after each picture and each panel. */
export const noteMeaning = () => {
  const now = meaning();
  if (now === null || now === does) return;
  if (does !== null && struck.toUpperCase() !== SWITCH) changedAt = performance.now();
  does = now;
};

const noteKey = (key) => {
  if (key !== struck) {
    struck = key;
    does = null;
    changedAt = -Infinity;
  }
  does = meaning() ?? does;
};

/* Whether a click comes from a key whose meaning changed so recently that nobody can have meant the new one. */
export const isHurried = (event) => event.detail === 0 && performance.now() - changedAt < DEAF_MS;

/* Enter and the space bar repeat while they are held; a button must not. Enter on a checkbox in a panel must not submit
   the desk's form around it. */
export const allowEnter = (event) => {
  const isEnter = event.key === "Enter" || event.key === " ";
  const isSwitched = event.key === "Enter" && event.target.matches("[type=checkbox]");
  if (isEnter && (isSwitched || (event.repeat && event.target.closest("button, a")))) event.preventDefault();
  noteKey(event.key);
};
