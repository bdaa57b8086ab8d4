/* The key that opened a panel, struck twice by a hurried hand, must not choose in it: F opens, and may be a service. */

const PANEL_DEAF_MS = 700;
let openedAt = 0;
let struck = "";
let openedWith = "";

export const noteOpening = () => { openedWith = struck; };
export const noteOpened = () => { openedAt = Date.now(); };
export const isJustOpened = () => Date.now() - openedAt < PANEL_DEAF_MS;

/* Enter and the space bar repeat while they are held; a button must not. Enter that opened a panel and is struck twice
   must not do what stands chosen in it; nor is a field in a panel a gesture of the desk, whose form it stands in. */
export const allowEnter = (event) => {
  const isEnter = event.key === "Enter" || event.key === " ";
  const isAgain = openedWith === event.key && struck === event.key && isJustOpened();
  const isHurried = isAgain && event.target.closest("#panel button.choice");
  const isSwitched = event.key === "Enter" && event.target.matches("[type=checkbox]");
  if (isEnter && (isHurried || isSwitched || (event.repeat && event.target.closest("button, a")))) event.preventDefault();
  struck = event.key;
};
