// Where things are on the login page: in the document and in its open shadow trees. Arguments: selector lists by name, the
// mobile number to compare with.
const [selectors, mobile] = arguments;
const treesNow = () => {
  const trees = [];
  const gather = (tree) => {
    trees.push(tree);
    for (const element of tree.querySelectorAll("*")) if (element.shadowRoot) gather(element.shadowRoot);
  };
  gather(document);
  return trees;
};
const laidOut = (element) =>
  element.getClientRects().length > 0 && getComputedStyle(element).visibility !== "hidden";
const transparent = (element) => getComputedStyle(element).opacity === "0";
const shown = (element) => laidOut(element) && !transparent(element);
const all = (selector) =>
  treesNow().flatMap((tree) => [...tree.querySelectorAll(selector)]).filter(shown);
const find = (name) => {
  const trees = treesNow();
  for (const selector of selectors[name]) {
    for (const tree of trees) {
      for (const element of tree.querySelectorAll(selector)) {
        if (shown(element)) return { element, selector };
      }
    }
  }
  return null;
};
const wordsOn = (button) => (button.innerText || button.value || button.getAttribute("aria-label") || "").trim();

// The forms on which something is typed and submitted, the furthest first, and how many digits complete them.
const LENGTHS = { pin: 6, otp: 6, mobile: 10 };
const BUTTONS = { pin: "pin_continue", otp: "otp_continue", mobile: "get_otp" };
const formNow = () => Object.keys(LENGTHS).find(find) ?? null;
// One box, or all of those that take a digit each.
const boxesOf = (form) => {
  const box = find(form)?.element;
  if (!box) return [];
  if (box.maxLength !== 1) return [box];
  const around = box.form ?? box.getRootNode();
  return [...around.querySelectorAll("input")].filter((input) => input.maxLength === 1 && shown(input));
};
const isFull = (form, boxes) =>
  boxes.map((box) => box.value.replace(/\D/g, "")).join("").length >= LENGTHS[form];
const holdsSomething = (boxes) => boxes.some((box) => box.value !== "");
const isMarked = (box) => box.getAttribute("aria-invalid") === "true" || box.validity?.customError === true;
