// Waits until something changes on the page after the last look, for so many milliseconds at most. What is not noted as a
// change, such as an element that fades in, is seen after that time.
const [most] = arguments;
const { vegaEar: ear } = document;
// Nobody has looked at this document yet.
if (!ear || ear.changes !== ear.seen) return null;
return new Promise((changed) => {
  const over = () => {
    ear.wake = null;
    changed(null);
  };
  const late = setTimeout(over, most);
  ear.wake = () => {
    clearTimeout(late);
    over();
  };
});
