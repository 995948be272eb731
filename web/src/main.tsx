import { StrictMode } from "react";
import { createRoot } from "react-dom/client";
import "./ui/tokens.css";
import { App } from "./app/App";
import { startPreferences } from "./ui/preferences";

startPreferences();
const root = document.getElementById("root");
if (!root) throw new Error("the document has no element #root");
createRoot(root).render(
  <StrictMode>
    <App />
  </StrictMode>,
);
