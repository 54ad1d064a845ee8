// Starts the console: takes the one-time link's code out of the address, then shows the page.

import { StrictMode } from "react";
import { createRoot } from "react-dom/client";
import { App, makeQueries } from "./App";
import { beginAnewWithEachLink, takeCode } from "./entry/EnterPage";
import { makeRouter } from "./page/router";
import "./theme/mantine.css";
import "./theme/style.css";
import "./theme/dashboard.css";
import "./theme/lists.css";

const root = document.getElementById("root");
if (root === null) {
  throw new Error("index.html has no element with the id root");
}

beginAnewWithEachLink();
createRoot(root).render(
  <StrictMode>
    <App router={makeRouter(takeCode())} queries={makeQueries()} />
  </StrictMode>,
);
