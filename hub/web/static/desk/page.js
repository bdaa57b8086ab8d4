/* What of the page all parts look at. */

export const root = document.documentElement;
export const page = document.getElementById("page");
export const panel = () => document.querySelector("#panel .panel");
export const queue = () => document.querySelector(".queue");

/* Its address below the public one. */
export const own = page.getAttribute("action").slice(root.dataset.base.length).replace(/\/next$/, "");

export const setText = (element, text) => {
  if (element && element.textContent !== text) element.textContent = text;
};

/* To those who hear the page, the same once more as well. All that comes together is said in one go: of two sentences
   they would hear the last alone. */
export const say = (...sentences) => {
  const said = sentences.filter(Boolean);
  if (said.length) document.getElementById("connection").replaceChildren(said.join(" "));
};

/* A panel asks for itself anew. */
export const keepsNew = ({ sourceElement }) => sourceElement.matches(".panel");
