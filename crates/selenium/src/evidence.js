// Examines the page for the evidence of a failed sign-in. Reads out tags and ids, and of the rest only whether it is
// there: no value, no text. Arguments: selector lists by name, the mobile number to look out for.
const [selectors, mobile] = arguments;
const laidOut = (element) => element.getClientRects().length > 0;
const shown = (element) => laidOut(element) && getComputedStyle(element).visibility !== "hidden";

// The documents and shadow trees that can be looked into. A frame that cannot be may show anything, and so may an element
// of the page's own making: nobody can see whether it has a closed shadow tree.
const trees = [];
let sealed = false;
const isFrame = (element) => ["iframe", "frame", "object", "embed"].includes(element.localName);
const mayHide = (element) =>
  element.localName.includes("-") && element.namespaceURI === "http://www.w3.org/1999/xhtml";
const gather = (tree) => {
  trees.push(tree);
  for (const element of tree.querySelectorAll("*")) {
    const inner = [element.shadowRoot, isFrame(element) && element.contentDocument].filter(Boolean);
    inner.forEach(gather);
    if (inner.length > 0 || !(isFrame(element) || mayHide(element))) continue;
    const takesPart = laidOut(element) || getComputedStyle(element).display === "contents";
    if (takesPart && !element.matches(selectors.challenge.join(","))) sealed = true;
  }
};
gather(document);
const elements = trees.flatMap((tree) => [...tree.querySelectorAll("*")]);

const isInput = (element) => element.localName === "input";
const typedInto = (element) =>
  isInput(element)
    ? !/^(hidden|submit|button|reset|image|checkbox|radio|range|color)$/.test(element.type)
    : element.localName === "textarea" || element.isContentEditable;
const holdsSomething = (element) =>
  isInput(element) || element.localName === "textarea"
    ? element.value !== "" || element.validity.badInput
    : element.textContent.trim() !== "";

// A box for a second factor by where it is, by what it hides, by its words, or by how little fits into it.
const secret = [...selectors.otp, ...selectors.pin, "input[type=password]"].join(",");
const words = (element) =>
  ["id", "name", "autocomplete", "placeholder", "aria-label"]
    .map((name) => element.getAttribute(name) ?? "")
    .concat([...(element.labels ?? [])].map((label) => label.textContent))
    .join(" ");
const isSecret = (element) =>
  element.matches(secret) ||
  (typedInto(element) &&
    (/otp|pin|pass|secret|code|one.?time/i.test(words(element)) ||
      (element.maxLength > 0 && element.maxLength <= 8) ||
      !["", "none"].includes(getComputedStyle(element).webkitTextSecurity ?? "")));

// The page may repeat what was typed: as a number of six digits or more, or as the mobile number in any spelling.
const texts = trees
  .flatMap((tree) => (tree.body ? [tree.body] : [...tree.children]))
  .map((element) => element.innerText ?? "")
  .concat(elements.filter(isInput).map((element) => element.placeholder));
const tellsNumber = texts.some(
  (text) => /(?<![A-Za-z\d])\d(?:[\s-]?\d){5,}/.test(text) || text.replace(/\D/g, "").includes(mobile),
);

// Whether anybody touched the page since it was examined before; a document that is new was not watched.
const undisturbed = trees
  .filter((tree) => tree.defaultView)
  .map((tree) => {
    const watched = tree.vegaWitness;
    const witness = (tree.vegaWitness ??= watch(tree.defaultView));
    const touched = witness.touched;
    witness.touched = false;
    return watched !== undefined && !touched;
  })
  .every(Boolean);
function watch(view) {
  const witness = { touched: false };
  const note = () => (witness.touched = true);
  for (const kind of ["keydown", "input", "change", "paste", "drop"]) view.addEventListener(kind, note, true);
  return witness;
}

return {
  url: document.URL,
  elements: elements
    .filter((element) => (element.hasAttribute("id") || typedInto(element)) && shown(element))
    .slice(0, 100)
    .map((element) => ({
      tag: element.localName.slice(0, 64),
      id: element.getAttribute("id")?.slice(0, 64) ?? null,
    })),
  secret_field: elements.some(isSecret),
  holds_text: elements.some((element) => typedInto(element) && laidOut(element) && holdsSomething(element)),
  tells_number: tellsNumber,
  sealed,
  undisturbed,
};
