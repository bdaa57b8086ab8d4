// Shows each part's state as the demo's server sends it, and sends presses back. It shows nothing that was not sent.
"use strict";

const words = document.getElementById("words").dataset;
const over = document.querySelector(".over");
let socket;

function connect() {
  socket = new WebSocket(`ws://${location.host}/live`);
  socket.onopen = () => ended(false);
  socket.onmessage = (event) => show(JSON.parse(event.data));
  socket.onclose = () => {
    ended(true);
    setTimeout(connect, 1000);
  };
}

// While the connection is lost, the page is dimmed and takes no input.
function ended(yes) {
  over.hidden = !yes;
  for (const place of document.querySelectorAll("main, .parts")) place.inert = yes;
}

function send(message) {
  if (socket.readyState === WebSocket.OPEN) socket.send(JSON.stringify(message));
}

function show(part) {
  for (const place of document.querySelectorAll(`[data-part="${part.part}"]`)) {
    place.classList.toggle("down", part.state !== "up");
    place.classList.toggle("starting", part.state === "starting");
    const why = place.querySelector("[data-why]");
    if (why) why.textContent = words[part.state] ?? "";
    for (const button of place.querySelectorAll(".service, .button")) {
      button.disabled = part.state !== "up";
      button.classList.toggle("pressed", (part.pressed ?? []).includes(Number(button.dataset.pin)));
    }
    place.classList.toggle("lit", part.state === "up" && part.led === true);
  }
  if (part.part === "display" && part.state === "up" && part.frame) showFrame();
  if (part.part === "dispenser") {
    showPapers(part.papers ?? [], part.yours);
    showReader(part.state === "up");
  }
  if (part.part === "publik") showBookings(part.bookings ?? []);
  if (part.part === "hub") {
    showDesks(part.desks ?? {});
    showCalls(part.calls ?? []);
    for (const link of document.querySelectorAll("[data-needs-hub]")) link.toggleAttribute("inert", part.state !== "up");
  }
}

// Fetches one frame at a time; of those that came meanwhile, only the newest.
// The count is the page's own: browsers cache images by address, and a restarted display counts from 1 again.
let wanted = false;
let fetching = false;
let fetched = 0;
async function showFrame() {
  wanted = true;
  if (fetching) return;
  fetching = true;
  while (wanted) {
    wanted = false;
    fetched += 1;
    const next = new Image();
    next.src = `/frame.png?${fetched}`;
    try {
      await next.decode();
      document.querySelector("[data-frame]").src = next.src;
    } catch { /* replaced while it was read: the next frame follows */ }
  }
  fetching = false;
}

function showPapers(names, yours) {
  const place = document.querySelector("[data-papers]");
  const shown = new Map([...place.children].map((paper) => [paper.dataset.name, paper]));
  place.replaceChildren(...names.map((name) => shown.get(name) ?? paper(name, place.dataset.alt)));
  for (const each of place.children) each.classList.toggle("yours", each.dataset.name === yours);
}

function paper(name, alt) {
  const link = document.createElement("a");
  link.dataset.name = name;
  link.href = `/paper/${name}`;
  link.target = "_blank";
  const picture = document.createElement("img");
  picture.src = link.href;
  picture.alt = alt;
  const whose = document.createElement("span");
  whose.className = "whose";
  whose.textContent = words.yours;
  link.append(whose, picture);
  return link;
}

function spaced(number) {
  return `${number.slice(0, 1)}\u202f${number.slice(1)}`;
}

function showDesks(desks) {
  for (const place of document.querySelectorAll("[data-desk]")) {
    const [mode, held] = desks[place.dataset.desk] ?? ["", null];
    place.textContent = held ? spaced(held) : words[mode === "open" ? "free" : mode] ?? "";
    place.classList.toggle("held", Boolean(held));
  }
}

function showCalls(calls) {
  document.querySelector("[data-calls]").replaceChildren(...calls.map(([number, desk]) => {
    const call = document.createElement("span");
    const plaque = document.createElement("b");
    plaque.textContent = desk;
    call.append(spaced(number), plaque);
    return call;
  }));
}

// --- appointments ---

const list = document.querySelector("[data-bookings]");
let reads = false;

function showReader(up) {
  reads = up;
  for (const button of list.querySelectorAll("[data-scan]")) button.disabled = !reads;
}

function showBookings(bookings) {
  const shown = new Map([...list.children].map((row) => [row.dataset.id, row]));
  list.replaceChildren(...bookings.map((booking) => filled(shown.get(booking.id) ?? row(booking.id), booking)));
}

function row(id) {
  const made = document.getElementById("booking").content.firstElementChild.cloneNode(true);
  made.dataset.id = id;
  made.querySelector("[data-scan]").addEventListener("click", () => send({ scan: made.querySelector(".code").textContent }));
  return made;
}

function filled(row, booking) {
  for (const name of ["time", "letter", "code"]) row.querySelector(`.${name}`).textContent = booking[name];
  const fate = row.querySelector(".fate");
  if (row.dataset.fate !== booking.fate) fate.replaceChildren(document.getElementById(`fate-${booking.fate}`).content.cloneNode(true));
  row.dataset.fate = booking.fate;
  const scan = row.querySelector("[data-scan]");
  scan.disabled = !reads;
  scan.ariaLabel = `${scan.textContent.trim()} ${booking.code}`;
  return row;
}

// --- hands ---

const held = new Map();

function press(button) {
  if (button.disabled || held.has(button)) return;
  send({ node: button.dataset.node, pin: Number(button.dataset.pin), pressed: true });
  button.classList.add("held");
  const gesture = button.parentElement.querySelector(".gesture");
  const steps = gesture ? [[0, words.short], [1200, words.long], [4000, words.veryLong], [10000, words.stuck]] : [];
  gesture?.parentElement.classList.add("telling");
  held.set(button, steps.map(([after, word]) => setTimeout(() => { gesture.textContent = word; }, after)));
}

function release(button) {
  if (!held.has(button)) return;
  held.get(button).forEach(clearTimeout);
  held.delete(button);
  send({ node: button.dataset.node, pin: Number(button.dataset.pin), pressed: false });
  button.classList.remove("held");
  button.parentElement.querySelector(".telling")?.classList.remove("telling");
}

for (const button of document.querySelectorAll("[data-pin]")) {
  button.addEventListener("pointerdown", (event) => {
    if (event.button !== 0) return;
    button.setPointerCapture(event.pointerId);
    press(button);
  });
  for (const end of ["pointerup", "pointercancel", "lostpointercapture", "blur"]) button.addEventListener(end, () => release(button));
  button.addEventListener("keydown", (event) => {
    if (event.key !== " " && event.key !== "Enter") return;
    event.preventDefault();
    if (!event.repeat) press(button);
  });
  button.addEventListener("keyup", (event) => {
    if (event.key === " " || event.key === "Enter") release(button);
  });
  button.addEventListener("contextmenu", (event) => event.preventDefault());
}

for (const button of document.querySelectorAll("[data-restart]")) {
  button.addEventListener("click", () => send({ restart: button.closest("[data-part]").dataset.part }));
}

connect();
