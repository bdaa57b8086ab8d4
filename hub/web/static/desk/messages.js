/* What the hub says by the socket: beats, and pictures that are laid over the page. */

import { forgetAnswer, sayDone } from "./answer.js";
import { keepFocus, refocus } from "./focus.js";
import { noteMeaning } from "./hurry.js";
import { hear, isOffline, pale, regain, tick } from "./link.js";
import { root, say } from "./page.js";
import { bar, saySeat, stand } from "./seat.js";

const showScreens = (areReached) => {
  const { screensOff, screensBack } = document.getElementById("connection").dataset;
  if (areReached !== root.hasAttribute("data-screens-off")) return;
  root.toggleAttribute("data-screens-off", !areReached);
  say(areReached ? screensBack : screensOff);
};

const receive = (message) => {
  hear(message);
  if (message.content !== undefined) stand(message);
  if (message.screens !== undefined) showScreens(message.screens);
  if (message.content !== undefined) regain();
};

export const beforeMessage = (event) => {
  keepFocus();
  event.detail.waitUntil(event.detail.message.json().then(receive));
};

export const afterMessage = () => {
  tick();
  bar();
  refocus();
  noteMeaning();
  forgetAnswer();
  sayDone();
  saySeat();
  if (isOffline()) pale();
  document.body.dispatchEvent(new Event("picture"));
};
