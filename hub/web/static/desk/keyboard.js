/* Which keys are for the page: none with a modifier, none typed into a field, and no letter while keys are off. */

import { page, panel, root } from "./page.js";

/* Returns the control that a key presses now: of those that take turns in one place, the one that is shown. */
export const controlOf = (key) => {
  if (key === "Enter" || key === " ") return document.activeElement;
  const meant = (panel() ?? page).querySelectorAll(`[aria-keyshortcuts="${CSS.escape(key.toUpperCase())}"]`);
  return [...meant].find((each) => !each.matches(".next") || each.offsetParent);
};

export const keysOff = () => localStorage.getItem("suivant.keys") === "off";
export const showKeys = () => { root.dataset.keys = keysOff() ? "off" : "on"; };

export const switchKeys = (event) => {
  if (event.target.id !== "keys-switch") return;
  localStorage.setItem("suivant.keys", event.target.checked ? "on" : "off");
  showKeys();
};

export const showSwitch = () => {
  const keys = document.getElementById("keys-switch");
  if (keys) keys.checked = !keysOff();
};

export const withModifier = (event) => event.ctrlKey || event.altKey || event.metaKey;
export const inField = (event) => event.target.closest("input, select, textarea, [contenteditable]");
