// The first element that a selector finds and that is shown: in the document or in an open shadow tree.
const [selector] = arguments;
const shown = (element) =>
  element.getClientRects().length > 0 &&
  getComputedStyle(element).visibility !== "hidden" &&
  getComputedStyle(element).opacity !== "0";
const within = (tree) =>
  [...tree.querySelectorAll(selector)].find(shown) ??
  [...tree.querySelectorAll("*")]
    .filter((element) => element.shadowRoot)
    .map((element) => within(element.shadowRoot))
    .find(Boolean) ??
  null;
return within(document);
