import { CITY_QUESTIONS } from "./city-questions.ts";
import { COUNTRY_QUESTIONS } from "./country-questions.ts";
import type { Question } from "./question.ts";
import { WRITE_QUESTIONS } from "./write-questions.ts";

export const QUESTIONS: readonly Question[] = [...COUNTRY_QUESTIONS, ...CITY_QUESTIONS, ...WRITE_QUESTIONS];
