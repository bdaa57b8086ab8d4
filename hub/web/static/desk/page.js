/* The parts of the page that all modules use. */

export const root = document.documentElement;
export const page = document.getElementById("page");
export const panel = () => document.querySelector("#panel .panel");
export const queue = () => document.querySelector(".queue");

/* The page's path below the public address. */
export const own = page.getAttribute("action").slice(root.dataset.base.length).replace(/\/next$/, "");

export const setText = (element, text) => {
  if (element && element.textContent !== text) element.textContent = text;
};

/* Announces sentences to screen readers, also one that was just announced. They are said together: of two separate
   ones, only the last would be heard. */
export const say = (...sentences) => {
  const said = sentences.filter(Boolean);
  if (said.length) document.getElementById("connection").replaceChildren(said.join(" "));
};

/* Whether a request is a panel's that refreshes itself. */
export const keepsNew = ({ sourceElement }) => sourceElement.matches(".panel");
