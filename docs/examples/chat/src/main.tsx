import { GalleyProvider } from "@galley/sdk/react";
import { StrictMode } from "react";
import { createRoot } from "react-dom/client";
import { App } from "./app.tsx";
import { db } from "./db.ts";
import "./style/base.css";
import "./style/layout.css";
import "./style/room.css";

createRoot(document.getElementById("root") as HTMLElement).render(
  <StrictMode>
    <GalleyProvider client={db}>
      <App />
    </GalleyProvider>
  </StrictMode>,
);
