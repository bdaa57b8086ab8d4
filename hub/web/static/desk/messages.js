/* The hub's messages on the socket: beats, and pictures that are morphed into the page. */

import { forgetAnswer, newlyDone } from "./answer.js";
import { keepFocus, refocus } from "./focus.js";
import { noteMeaning } from "./hurry.js";
import { hear, isOffline, pale, regain, tick } from "./link.js";
import { root, say } from "./page.js";
import { bar, newSeat, stand } from "./seat.js";

const showScreens = (areReached) => {
  const { screensLost, screensBack } = document.getElementById("connection").dataset;
  if (areReached !== root.hasAttribute("data-screens-off")) return "";
  root.toggleAttribute("data-screens-off", !areReached);
  return areReached ? screensBack : screensLost;
};

/* What to announce once the received picture is shown. */
let unsaid = [];
const receive = (message) => {
  hear(message);
  if (message.content !== undefined) stand(message);
  if (message.content !== undefined) unsaid.push(regain());
  if (message.screens !== undefined) unsaid.push(showScreens(message.screens));
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
  say(...unsaid, newSeat(), newlyDone());
  unsaid = [];
  if (isOffline()) pale();
  document.body.dispatchEvent(new Event("picture"));
};
