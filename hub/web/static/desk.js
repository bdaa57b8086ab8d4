/* What a page cannot do by forms alone: keys, timers, ids of gestures, and saying that it is offline. No words here. */
"use strict";

const root = document.documentElement;
const page = document.getElementById("page");
const panel = () => document.querySelector("#panel .panel");
root.dataset.script = "";
/* What answers a form is a page too, at an address that nobody can ask for again. */
const own = page.getAttribute("action").slice(root.dataset.base.length).replace(/\/next$/, "");
if (location.pathname !== root.dataset.base + own) history.replaceState(null, "", root.dataset.base + own);

/* --- the hub's clock ---------------------------------------------------------------------------------------------- */

let ahead = Number(root.dataset.now) - Date.now();
const now = () => Date.now() + ahead;
const clock = new Intl.DateTimeFormat("fr-FR", { timeZone: root.dataset.zone, hour: "numeric", minute: "2-digit", hour12: false });
const clockText = (moment) => clock.format(moment).replace(/^0(?=\d)/, "");
const two = (number) => String(number).padStart(2, "0");

const setText = (element, text) => {
  if (element && element.textContent !== text) element.textContent = text;
};

const timerText = (span) => {
  const seconds = Math.max(0, Math.floor(span / 1000));
  const hours = Math.floor(seconds / 3600);
  const rest = `${two(Math.floor((seconds % 3600) / 60))}:${two(seconds % 60)}`;
  return hours ? `${hours}:${rest}` : rest;
};

/* Each sign has a slot of its own: the type has no tabular digits. */
const fillSlots = (element, text) => {
  while (element.children.length > text.length) element.lastChild.remove();
  while (element.children.length < text.length) element.append(document.createElement("span"));
  [...element.children].forEach((slot, place) => {
    setText(slot, text[place]);
    slot.classList.toggle("is-colon", text[place] === ":");
  });
};

/* An announcement starts so soon after its call where nothing else is said. */
const UNSAID_MS = 1000;

const tick = () => {
  const moment = now();
  document.querySelectorAll(".slots").forEach((each) => {
    /* A call may stand in the hall's queue for a while before it is said. */
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
  if (moment - Math.max(heard, begun) > SILENT_MS) {
    lose(heard);
    abandon();
  }
  if (lostSince) {
    const seconds = Math.max(0, Math.floor((moment - lostSince) / 1000));
    document.querySelectorAll(".lost-for").forEach((each) => setText(each, `${Math.floor(seconds / 60)}:${two(seconds % 60)}`));
  }
};

/* --- online, offline ---------------------------------------------------------------------------------------------- */

/* The hub speaks every 5 s; a page that missed two may be showing the past. */
const SILENT_MS = 12000;
let heard = now();
/* When the last link was begun: it may fall silent before it says a word. */
let begun = heard;
let lostSince = 0;
let connection = null;

const pale = () => {
  page.querySelectorAll("button, a.plaque, .next, .action, .small, .mode[role], .row-link").forEach((each) => {
    if (each.getAttribute("aria-disabled") !== "true") each.dataset.paled = "";
    each.setAttribute("aria-disabled", "true");
  });
};

/* What is drawn anew comes as it is; an open panel stays as it stands. */
const unpale = () => {
  document.querySelectorAll("#panel [data-paled]").forEach((each) => {
    each.removeAttribute("aria-disabled");
    delete each.dataset.paled;
  });
};

const say = (text) => setText(document.getElementById("connection"), text);

const lose = (since) => {
  if (lostSince) return;
  lostSince = since;
  root.dataset.offline = "";
  setText(document.getElementById("known-at"), clockText(since));
  say(document.getElementById("connection").dataset.lost);
  pale();
  tick();
};

/* A link that only went silent counts as closed, so that a new one is tried at once: its own end comes when the other
   side says something, or a minute later, and is news to nobody. */
const abandon = () => {
  const socket = connection?.socket;
  begun = now();
  socket?.dispatchEvent(new CloseEvent("close", { code: 1006 }));
  socket?.addEventListener("close", (event) => event.stopImmediatePropagation(), { capture: true });
  socket?.close();
};

const hear = (message) => {
  if (message.now_ms) {
    const said = message.now_ms - Date.now();
    /* A picture may have been drawn a while ago; a beat tells the time as it is. */
    ahead = message.content === undefined ? said : Math.max(ahead, said);
  }
  heard = now();
  if (message.content !== undefined) stand(message);
  if (message.screens !== undefined) root.toggleAttribute("data-screens-off", !message.screens);
  if (message.content === undefined || !lostSince) return;
  lostSince = 0;
  delete root.dataset.offline;
  unpale();
  say(document.getElementById("connection").dataset.back);
};

document.addEventListener("htmx:ws:before:message:incoming", (event) => {
  focused = focusIn(page, queue());
  event.detail.waitUntil(event.detail.message.json().then(hear));
});
const begin = (event) => {
  connection = event.detail.connection;
  begun = now();
};
document.addEventListener("htmx:ws:before:connection", begin);
document.addEventListener("htmx:ws:after:connection", begin);
document.addEventListener("htmx:ws:after:message:incoming", () => {
  tick();
  afterStand();
  if (lostSince) pale();
  document.body.dispatchEvent(new Event("picture"));
});
/* The session ended, or may do other things than when the page was drawn, or the site has no such desk any more: the hub
   says so by the socket's code. */
const SESSION_OVER = 4401;
const RIGHTS_CHANGED = 4403;
const DESK_GONE = 4404;
document.addEventListener("htmx:ws:close", (event) => {
  lose(now());
  if (event.detail.code === SESSION_OVER) location.assign(`${root.dataset.base}/login?to=${encodeURIComponent(own)}`);
  if ([RIGHTS_CHANGED, DESK_GONE].includes(event.detail.code)) location.reload();
});
window.addEventListener("offline", () => {
  lose(now());
  abandon();
});

/* --- who is signed on here ---------------------------------------------------------------------------------------- */

/* A picture is drawn once for all who look, as if each were signed on: what is off for this page is told apart here. */
const free = new Set(root.dataset.free.split(" "));

/* Suivant, or the way to be signed on in its place: the one of them that is shown. */
const first = () => [...document.querySelectorAll(".next")].find((each) => each.offsetParent);

const bar = () => {
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

/* Before its picture is laid over the page, so that nothing looks as if it could be pressed. */
let moved = false;
const stand = ({ agent, before }) => {
  const was = root.dataset.at;
  root.dataset.at = agent === root.dataset.me ? "here" : agent ? "taken" : "free";
  root.toggleAttribute("data-displaced", root.dataset.at === "taken" && before === root.dataset.me);
  if (root.dataset.at === was) return;
  moved = true;
  answer.replaceChildren();
  if (root.dataset.at === "here" && panel()?.dataset.of === "take") leave();
};

const afterStand = () => {
  bar();
  refocus();
  forgetAnswer();
  if (!moved) return;
  moved = false;
  const note = [...document.querySelectorAll("#note > span")].find((each) => each.offsetParent)?.textContent.trim() ?? "";
  say(root.dataset.at === "here" ? document.getElementById("connection").dataset.here : note);
};

/* --- focus -------------------------------------------------------------------------------------------------------- */

/* What is taken away loses focus without a word. Its heir is in the same place, and does nothing by itself: not Suivant,
   unless Suivant had it. */
const queue = () => document.querySelector(".queue");
const rowLinks = (within) => [...within.querySelectorAll(".row-link")];
const placeIn = (within, element) => ({ element, id: element.id, row: rowLinks(within).indexOf(element) });

const focusOneOf = (heirs) => heirs.some((heir) => {
  heir?.focus();
  return heir && document.activeElement === heir;
});

const inherit = (within, { element, id, row }, last) => {
  const rows = rowLinks(within);
  focusOneOf([element, document.getElementById(id), rows[Math.min(row, rows.length - 1)], last]);
};

const isLost = () => document.activeElement === document.body || !document.activeElement.offsetParent;
const focusIn = (within, list = within) => {
  const element = document.activeElement;
  return within.contains(element) ? placeIn(list, element) : null;
};

let focused = null;
const refocus = () => {
  if (!focused || !isLost()) return;
  if (focused.element.matches(".next")) focusOneOf([first()]);
  else inherit(queue(), focused, document.getElementById("ticket"));
};

/* --- what was answered -------------------------------------------------------------------------------------------- */

/* A refusal is said until something else happened at the desk; what happened just before may be shown just after. */
const ANSWERED_MS = 2000;
const answer = document.getElementById("answer");
const lastLine = () => document.querySelector(".last")?.textContent;
let answeredAt = 0;
let answeredTo = "";

new MutationObserver(() => {
  answeredAt = performance.now();
  answeredTo = lastLine();
}).observe(answer, { childList: true });

const forgetAnswer = () => {
  if (performance.now() - answeredAt < ANSWERED_MS) answeredTo = lastLine();
  else if (lastLine() !== answeredTo) answer.replaceChildren();
};

/* --- one gesture, one id ------------------------------------------------------------------------------------------ */

/* A hand that clicks twice, or a key that bounces, asks once. */
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

document.addEventListener("htmx:config:request", (event) => {
  const { request } = event.detail.ctx;
  if (request.method !== "POST") return;
  const gesture = `${request.action} ${request.body.get("shown")}`;
  const last = gestures.get(gesture);
  const id = last && performance.now() - last.at < SAME_GESTURE_MS ? last.id : uuid7();
  gestures.clear();
  gestures.set(gesture, { id, at: performance.now() });
  request.body.set("id", id);
  /* The hub does not do it any more when this page has given up to wait. */
  request.headers["Suivant-Clicked-At"] = String(Math.floor(now()));
});

/* What is off stays where it is and does nothing; offline, everything is off but what only this page does. */
document.addEventListener("click", (event) => {
  const control = event.target.closest("button, a");
  if (!control) return;
  const isLocal = control.matches(".leave");
  const isSecond = event.detail > 1 && control.matches("button");
  if (!isLocal && (control.getAttribute("aria-disabled") === "true" || lostSince || isSecond)) {
    event.preventDefault();
    event.stopImmediatePropagation();
    return;
  }
  if (control.matches(".leave")) {
    event.preventDefault();
    event.stopImmediatePropagation();
    leave();
  }
}, true);

/* --- panels ------------------------------------------------------------------------------------------------------- */

/* The link that opened the panel, and where it stood: by now it may be gone. */
let opener = { element: null, id: "", row: -1 };
const focusBack = () => inherit(queue(), opener, document.getElementById("ticket"));
/* The request whose panel is waited for: until it stands, no key may mean something else. */
let opening = null;
let typed = "";
/* The key that opened a panel, struck twice by a hurried hand, must not choose in it: F opens, and may be a service. */
const PANEL_DEAF_MS = 700;
let openedAt = 0;
let struck = "";
let openedWith = "";

const leave = () => {
  document.getElementById("panel").replaceChildren();
  clearTimeout(strike);
  opening = null;
  sought = "";
  typed = "";
  focusBack();
};

const keepsNew = ({ sourceElement }) => sourceElement.matches(".panel");

document.addEventListener("htmx:config:request", (event) => {
  const { ctx } = event.detail;
  ctx.from = ctx.request.submitter?.closest(".panel");
});
document.addEventListener("htmx:before:request", (event) => {
  const { ctx } = event.detail;
  /* A panel that keeps itself new disturbs nobody. */
  if (ctx.request.method !== "GET" || keepsNew(ctx)) return;
  opening = ctx;
  openedWith = struck;
  /* What was scanned is for the search that it opened, not for one that somebody opens later. */
  if (!ctx.sourceElement.matches('[aria-keyshortcuts="V"]')) sought = "";
  if (!panel()) opener = placeIn(queue(), ctx.sourceElement);
});
/* What the server answers where it fails is for programs; whoever looks at the page reads a sentence, if they asked. */
document.addEventListener("htmx:before:swap", (event) => {
  const { ctx } = event.detail;
  const kind = ctx.response?.headers.get("content-type") ?? "text/html";
  if (kind.startsWith("text/html")) return;
  event.preventDefault();
  if (!keepsNew(ctx)) answer.innerHTML = document.getElementById("failed").innerHTML;
});
/* What was asked before is answered while something else is done. So a command's answer closes, or turns into its
   question, only the panel it was given from; and of panels asked for only the last one opens, where none was left. */
document.addEventListener("htmx:before:swap", (event) => {
  const { ctx, tasks } = event.detail;
  if (!ctx.request) return;
  if (keepsNew(ctx)) {
    ctx.focused = focusIn(ctx.sourceElement);
    return;
  }
  if (ctx.request.method === "GET" && ctx !== opening) event.preventDefault();
  if (!ctx.from?.isConnected) tasks.splice(0, tasks.length, ...tasks.filter(({ type }) => type !== "oob"));
  ctx.changesPanel = !event.defaultPrevented && tasks.some(({ target }) => target?.closest("#panel"));
});
document.addEventListener("htmx:finally:request", (event) => {
  const { ctx } = event.detail;
  if (ctx === opening) opening = null;
  if (ctx.focused && panel() && isLost()) inherit(panel(), ctx.focused, panel().querySelector("h2"));
  if (!ctx.changesPanel) return;
  typed = "";
  openedAt = Date.now();
  seek();
  if (panel()) panel().querySelector("[data-focus]")?.focus();
  else if (isLost()) focusBack();
});
document.addEventListener("htmx:error", (event) => {
  if (event.detail.ctx?.request?.method !== "POST") return;
  answer.innerHTML = document.getElementById("unanswered").innerHTML;
});
document.addEventListener("htmx:after:swap", () => {
  const keys = document.getElementById("keys-switch");
  if (keys) keys.checked = !keysOff();
  tick();
});

/* With desks above 9 a number is ended by Enter, or as soon as no longer one begins like it. */
const typeDigit = (digit) => {
  if (!panel()) return;
  typed += digit;
  const desks = [...panel().querySelectorAll("[data-desk]")];
  const begins = desks.filter((each) => each.dataset.desk.startsWith(typed));
  if (!begins.length) typed = "";
  setText(document.getElementById("typed"), typed);
  if (begins.length === 1 && begins[0].dataset.desk === typed) endNumber();
};

const endNumber = () => {
  const desk = panel()?.querySelector(`[data-desk="${CSS.escape(typed)}"]`);
  typed = "";
  setText(document.getElementById("typed"), "");
  desk?.click();
};

const move = (step) => {
  const within = panel() ?? document.querySelector(".queue");
  const stops = [...within.querySelectorAll(".row-link, .choice, .desk-choice, .panel .small:not([form])")].filter((each) => each.offsetParent);
  const place = stops.indexOf(document.activeElement);
  const field = within.querySelector("[type=search]");
  if (field && step < 0 && place < 1) { field.focus(); return; }
  stops[place < 0 ? (step > 0 ? 0 : stops.length - 1) : Math.min(Math.max(place + step, 0), stops.length - 1)]?.focus();
};

/* --- keys --------------------------------------------------------------------------------------------------------- */

const keysOff = () => localStorage.getItem("suivant.keys") === "off";
const showKeys = () => { root.dataset.keys = keysOff() ? "off" : "on"; };

document.addEventListener("change", (event) => {
  if (event.target.id !== "keys-switch") return;
  localStorage.setItem("suivant.keys", event.target.checked ? "on" : "off");
  showKeys();
});

const withModifier = (event) => event.ctrlKey || event.altKey || event.metaKey;
const inField = (event) => event.target.closest("input, select, textarea, [contenteditable]");

/* A scanner is a keyboard faster than any hand, and ends with Enter. What it reads where no field has focus is looked
   up: no letter of it is a key of this page, and its Enter presses nothing. */
const SCANNED_MS = 50;
let scanned = "";
let scannedAt = -Infinity;
let sought = "";
let strike = 0;

document.addEventListener("keydown", (event) => {
  if (event.repeat || withModifier(event) || inField(event)) return;
  const isSign = event.key.length === 1 && event.key !== " ";
  const isEnter = event.key === "Enter" && scanned.length > 1;
  if (!isSign && !isEnter) return;
  const isNext = event.timeStamp - scannedAt < SCANNED_MS;
  /* A key that bounces is struck anew, until another sign follows: some codes begin like that. */
  const isBounce = scanned !== "" && scanned === event.key.repeat(scanned.length);
  if (isNext) clearTimeout(strike);
  if (isNext && !isBounce) {
    event.preventDefault();
    event.stopImmediatePropagation();
  }
  if (isNext && isEnter) lookUp(scanned);
  scanned = isEnter ? "" : (isNext ? scanned : "") + event.key;
  if (isSign) scannedAt = event.timeStamp;
}, true);

const lookUp = (code) => {
  const search = page.querySelector('[aria-keyshortcuts="V"]');
  if (!search || keysOff()) return;
  sought = code;
  search.click();
};

const seek = () => {
  const query = document.getElementById("query");
  if (!sought || !query) return;
  query.value = sought;
  sought = "";
  query.form.requestSubmit();
};

document.addEventListener("keydown", (event) => {
  if (event.repeat || withModifier(event) || opening) return;
  const inSearch = event.target.matches("[type=search]") && /^Arrow(Down|Up)$/.test(event.key);
  if (inField(event) && event.key !== "Escape" && !inSearch) return;
  if (event.key === "Escape" && panel()) { event.preventDefault(); leave(); return; }
  if (event.key === "ArrowDown" || event.key === "ArrowUp") {
    /* With the keys off, the arrows are the browser's where nothing is to be chosen. */
    if (keysOff() && !panel()) return;
    event.preventDefault();
    move(event.key === "ArrowDown" ? 1 : -1);
    return;
  }
  if (keysOff()) return;
  if (event.key === "Enter" && typed) { event.preventDefault(); endNumber(); return; }
  const digit = digitOf(event);
  if (digit ? !panel() : !/^[a-zA-Z?]$/.test(event.key)) return;
  event.preventDefault();
  strike = setTimeout(() => (digit ? typeDigit(digit) : press(event.key.toUpperCase())), SCANNED_MS);
});

/* On a French keyboard a digit is its key without Shift as well. */
const digitOf = ({ key, code, shiftKey }) => (/^[0-9]$/.test(key) ? key : !shiftKey && /^Digit([0-9])$/.exec(code)?.[1]);

const press = (key) => {
  if (opening) return;
  const opened = opener.element?.getAttribute("aria-keyshortcuts") === key;
  if (panel() && opened && Date.now() - openedAt < PANEL_DEAF_MS) return;
  const within = panel() ?? page;
  const meant = within.querySelectorAll(`[aria-keyshortcuts="${key}"]`);
  [...meant].find((each) => !each.matches(".next") || each.offsetParent)?.click();
};

/* Enter and the space bar repeat while they are held; a button must not. Enter that opened a panel and is struck twice
   must not do what stands chosen in it; nor is a field in a panel a gesture of the desk, whose form it stands in. */
document.addEventListener("keydown", (event) => {
  const isEnter = event.key === "Enter" || event.key === " ";
  const isAgain = openedWith === event.key && struck === event.key && Date.now() - openedAt < PANEL_DEAF_MS;
  const isHurried = isAgain && event.target.closest("#panel button.choice");
  const isSwitched = event.key === "Enter" && event.target.matches("[type=checkbox]");
  if (isEnter && (isHurried || isSwitched || (event.repeat && event.target.closest("button, a")))) event.preventDefault();
  struck = event.key;
}, true);

/* A link that is called a button is pressed by the space bar too. */
document.addEventListener("keydown", (event) => {
  if (event.key !== " " || event.repeat || !event.target.matches("a[role=button]")) return;
  event.preventDefault();
  event.target.click();
});

showKeys();
tick();
setInterval(tick, 250);
