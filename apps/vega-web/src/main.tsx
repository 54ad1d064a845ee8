// Starts the console: puts the page into the element `index.html` keeps for it.

import { StrictMode } from "react";
import { createRoot } from "react-dom/client";
import { App } from "./App";
import "./style.css";

const root = document.getElementById("root");
if (root === null) {
  throw new Error("index.html has no element with the id root");
}

createRoot(root).render(
  <StrictMode>
    <App />
  </StrictMode>,
);
