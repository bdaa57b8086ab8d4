/* Gives each gesture one id, and keeps controls that are off from doing anything. */

import { now } from "./clock.js";
import { ticketSeen } from "./hand.js";
import { isHurried } from "./hurry.js";
import { isOffline } from "./link.js";
import { leave } from "./panels.js";

/* A double click, or a key that bounces, is one gesture. */
const SAME_GESTURE_MS = 1000;
const gestures = new Map();

const uuid7 = () => {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  let moment = Math.floor(now());
  for (let place = 5; place >= 0; place -= 1) { bytes[place] = moment % 256; moment = Math.floor(moment / 256); }
  bytes[6] = (bytes[6] & 0x0f) | 0x70;
  bytes[8] = (bytes[8] & 0x3f) | 0x80;
  const hex = [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("");
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`;
};

export const giveId = (event) => {
  const { request } = event.detail.ctx;
  if (request.method !== "POST") return;
  if (request.body.has("shown")) request.body.set("shown", ticketSeen());
  const gesture = `${request.action} ${request.body.get("shown")}`;
  const last = gestures.get(gesture);
  const id = last && performance.now() - last.at < SAME_GESTURE_MS ? last.id : uuid7();
  gestures.clear();
  gestures.set(gesture, { id, at: performance.now() });
  request.body.set("id", id);
  /* By this time, the hub refuses a click that comes after the page has given up waiting. */
  request.headers["Suivant-Clicked-At"] = String(Math.floor(now()));
};

/* A control that is off stays in place and does nothing. Offline, all are off but those that act on this page only. */
export const allowClick = (event) => {
  const control = event.target.closest("button, a");
  if (!control) return;
  const isLocal = control.matches(".leave, .skip");
  const isSecond = event.detail > 1 && control.matches("button");
  if (!isLocal && (control.getAttribute("aria-disabled") === "true" || isOffline() || isSecond || isHurried(event))) {
    event.preventDefault();
    event.stopImmediatePropagation();
    return;
  }
  if (control.matches(".leave")) {
    event.preventDefault();
    event.stopImmediatePropagation();
    leave();
  }
};
