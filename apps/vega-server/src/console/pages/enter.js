// Opens a session with the code after the `#`, which no server and no log has seen so far.
const words = document.getElementById("words");
const code = location.hash.slice(1);
history.replaceState(null, "", "/enter");
if (code === "") {
  words.textContent = "This address needs the code of a one-time link. Run `vega console` and open the link that it prints.";
} else {
  fetch("/api/v1/session", {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify({ code }),
  }).then(async (response) => {
    if (response.ok) {
      const { secret } = await response.json();
      localStorage.setItem("vega.session", secret);
      location.replace("/");
      return;
    }
    const problem = await response.json();
    words.textContent = problem.detail;
  }).catch(() => {
    words.textContent = "The server does not answer. Start vega-server, then run `vega console` and open the link that it prints.";
  });
}
