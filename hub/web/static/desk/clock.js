/* The hub's clock, and the times on the page that run by it. */

import { root, setText } from "./page.js";

let ahead = Number(root.dataset.now) - Date.now();
export const now = () => Date.now() + ahead;
const clock = new Intl.DateTimeFormat("fr-FR", { timeZone: root.dataset.zone, hour: "numeric", minute: "2-digit", hour12: false });
export const clockText = (moment) => clock.format(moment).replace(/^0(?=\d)/, "");
const two = (number) => String(number).padStart(2, "0");

export const setClock = (message) => {
  if (!message.now_ms) return;
  const said = message.now_ms - Date.now();
  /* A picture may have been drawn a while ago; a beat has the current time. */
  ahead = message.content === undefined ? said : Math.max(ahead, said);
};

const timerText = (span) => {
  const seconds = Math.max(0, Math.floor(span / 1000));
  const hours = Math.floor(seconds / 3600);
  const rest = `${two(Math.floor((seconds % 3600) / 60))}:${two(seconds % 60)}`;
  return hours ? `${hours}:${rest}` : rest;
};

export const minutesText = (span) => {
  const seconds = Math.max(0, Math.floor(span / 1000));
  return `${Math.floor(seconds / 60)}:${two(seconds % 60)}`;
};

/* Each character has a slot of its own: the font has no tabular digits. */
const fillSlots = (element, text) => {
  while (element.children.length > text.length) element.lastChild.remove();
  while (element.children.length < text.length) element.append(document.createElement("span"));
  [...element.children].forEach((slot, place) => {
    setText(slot, text[place]);
    slot.classList.toggle("is-colon", text[place] === ":");
  });
};

/* If no other announcement is running, one starts within this time after its call. Same as `SOON_MS`. */
const UNSAID_MS = 1000;

export const showTimes = (moment) => {
  document.querySelectorAll(".slots").forEach((each) => {
    /* A call may wait in the hall's queue before it is announced. */
    const time = each.closest(".time");
    const untilSaid = (time?.dataset.play ?? 0) - moment;
    const unsaid = untilSaid > UNSAID_MS;
    time?.toggleAttribute("data-unsaid", unsaid);
    const text = timerText(unsaid ? untilSaid : moment - each.dataset.since);
    fillSlots(each, text);
    setText(each.nextElementSibling, text);
  });
  document.querySelectorAll("progress").forEach((each) => { each.value = Math.max(0, moment - each.dataset.since); });
  document.querySelectorAll("[data-minutes-since]").forEach((each) => {
    setText(each, String(Math.max(0, Math.floor((moment - each.dataset.minutesSince) / 60000))));
  });
  setText(document.getElementById("clock"), clockText(moment));
};
