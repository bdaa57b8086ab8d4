/* A key struck twice by a hurried hand must not do what came to stand in its place meanwhile: Enter reopens the desk, and
   would call; F opens a panel, and may be a service in it; N goes back to a visit, and would take its call back. */

import { controlOf } from "./keyboard.js";

const DEAF_MS = 700;
/* A switch: struck again, it takes back what it did. */
const SWITCH = "U";
let struck = "";
let does = null;
let changedAt = -Infinity;

/* Nothing, while it is off: what was off for a moment still means the same. */
const meaning = () => {
  const control = controlOf(struck);
  const address = control?.getAttribute("formaction") ?? control?.getAttribute("href") ?? null;
  /* N: at one address it takes back one call, then the one before. */
  return address && `${address} ${control.dataset.ticket ?? ""}`;
};

/* After each picture and each panel. */
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

/* Whether this click is of the key that was struck last, by which no hand can have meant what it does by now. */
export const isHurried = (event) => event.detail === 0 && performance.now() - changedAt < DEAF_MS;

/* Enter and the space bar repeat while they are held; a button must not. Nor is a field in a panel a gesture of the desk,
   whose form it stands in. */
export const allowEnter = (event) => {
  const isEnter = event.key === "Enter" || event.key === " ";
  const isSwitched = event.key === "Enter" && event.target.matches("[type=checkbox]");
  if (isEnter && (isSwitched || (event.repeat && event.target.closest("button, a")))) event.preventDefault();
  noteKey(event.key);
};
