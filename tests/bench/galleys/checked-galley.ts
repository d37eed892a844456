/** The Galley of the live checker, bundled as it is shipped. */
import "../../support/live-checker/logged-galley.ts";
