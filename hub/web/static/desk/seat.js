/* Who is signed on here, and which controls that turns off for the person at this page. */

import { clearAnswer } from "./answer.js";
import { page, panel, root } from "./page.js";
import { leave } from "./panels.js";

/* A picture is drawn once for all readers, as if each were signed on. What is off on this page is decided here. */
const free = new Set(root.dataset.free.split(" "));

export const bar = () => {
  page.querySelectorAll("[data-does]").forEach((each) => {
    if (root.dataset.at !== "here" && !free.has(each.dataset.does)) {
      each.setAttribute("aria-disabled", "true");
      each.dataset.barred = "";
    } else if (each.dataset.barred !== undefined) {
      each.removeAttribute("aria-disabled");
      delete each.dataset.barred;
    }
  });
};

/* Called before a picture is morphed into the page, so that no control that is off looks on for a moment. */
let moved = false;
export const stand = ({ agent, before }) => {
  const was = root.dataset.at;
  root.dataset.at = agent === root.dataset.me ? "here" : agent ? "taken" : "free";
  root.toggleAttribute("data-displaced", root.dataset.at === "taken" && before === root.dataset.me);
  if (root.dataset.at === was) return;
  moved = true;
  clearAnswer();
  if (root.dataset.at === "here" && panel()?.dataset.of === "take") leave();
};

/* Returns what to announce about a change, once. */
export const newSeat = () => {
  if (!moved) return "";
  moved = false;
  const note = [...document.querySelectorAll("#note > span")].find((each) => each.offsetParent)?.textContent.trim() ?? "";
  return root.dataset.at === "here" ? document.getElementById("connection").dataset.here : note;
};
