/* The kinds of notification and the ways they take, as the page calls them. */
import type { Kind, Way } from "./preferences";

export const KIND_WORDS: Readonly<Record<Kind, { readonly many: string; readonly about: string; readonly one: string }>> = {
  mention: { many: "Mentions", about: "somebody writes @ and your name", one: "Mentioned" },
  direct: { many: "Direct messages", about: "somebody writes to you alone", one: "Direct message" },
  reply: { many: "Replies", about: "somebody answers in a thread of yours", one: "Reply" },
  keyword: { many: "Keywords", about: "a message holds one of your words", one: "Keyword" },
};

export const WAY_WORDS: Readonly<Record<Way, string>> = { email: "E-mail", push: "Push", webhook: "Webhook" };
