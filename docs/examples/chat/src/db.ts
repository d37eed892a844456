import { createClient } from "@galley/sdk";
import type { Schema } from "./galley";

/** The one client of the app. What is asked here, each component asks where it shows it. */
export const db = createClient<Schema>({ url: import.meta.env.VITE_GALLEY_URL ?? "http://127.0.0.1:4600" });

export const users = db.collection("users");
export const rooms = db.collection("rooms");
export const members = db.collection("members");
export const messages = db.collection("messages");
export const typing = db.collection("typing");
/** Of each person one document, under their id: until when they have read each room. */
export const reads = db.collection("reads");
