/* What a page cannot do with forms alone: keys, timers, ids of gestures, and showing that it is offline. The scripts
   hold no text for people. All listeners are in this file. It is a module, so it runs before htmx starts, which waits
   for the whole document. */

import { sayFailed, sayUnanswered } from "./answer.js";
import { allowClick, giveId } from "./gestures.js";
import { noteLetGo, noteSeen } from "./hand.js";
import { allowEnter } from "./hurry.js";
import { showKeys, showSwitch, switchKeys } from "./keyboard.js";
import { pressLink, readKey } from "./keys.js";
import { begin, end, goOffline, noteLogout, noteStaying, tick } from "./link.js";
import { afterMessage, beforeMessage } from "./messages.js";
import { own, root } from "./page.js";
import { afterRequest, allowSwap, chooseSought, noteAsked, noteFrom } from "./panels.js";
import { readScanner } from "./scanner.js";

root.dataset.script = "";
/* The answer to a form may be a page too, at an address that a browser cannot ask for again. */
if (location.pathname !== root.dataset.base + own) history.replaceState(null, "", root.dataset.base + own);

const on = (name, handle) => document.addEventListener(name, handle);
/* In the capture phase: before the control that was clicked or struck gets the event. */
const before = (name, handle) => document.addEventListener(name, handle, true);

before("pointerdown", noteSeen);
before("keydown", noteSeen);
before("pointerup", noteLetGo);
before("keyup", noteLetGo);
before("click", allowClick);
/* The scanner first: the other listeners must not get the keys that it takes. */
before("keydown", readScanner);
before("keydown", allowEnter);
on("keydown", readKey);
on("keydown", pressLink);
on("change", switchKeys);
on("submit", chooseSought);

on("htmx:config:request", giveId);
on("htmx:config:request", noteFrom);
on("htmx:before:request", noteAsked);
on("htmx:before:request", noteLogout);
/* Failures first: no panel changes after one. */
on("htmx:before:swap", sayFailed);
on("htmx:before:swap", allowSwap);
on("htmx:after:swap", showSwitch);
on("htmx:after:swap", tick);
on("htmx:finally:request", afterRequest);
on("htmx:finally:request", noteStaying);
on("htmx:error", sayUnanswered);

on("htmx:ws:before:connection", begin);
on("htmx:ws:after:connection", begin);
on("htmx:ws:before:message:incoming", beforeMessage);
on("htmx:ws:after:message:incoming", afterMessage);
on("htmx:ws:close", end);
window.addEventListener("offline", goOffline);

showKeys();
tick();
setInterval(tick, 250);
