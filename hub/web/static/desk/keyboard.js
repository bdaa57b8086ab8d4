/* Which strokes are for the page: none with a modifier, none into a field, and no letter where they are switched off. */

import { root } from "./page.js";

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
