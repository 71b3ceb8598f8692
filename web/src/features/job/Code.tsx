import { Box } from "@mui/material";
import hljs from "highlight.js/lib/core";
import python from "highlight.js/lib/languages/python";
import sql from "highlight.js/lib/languages/sql";
import yaml from "highlight.js/lib/languages/yaml";
import { useMemo } from "react";

hljs.registerLanguage("sql", sql);
hljs.registerLanguage("py", python);
hljs.registerLanguage("yaml", yaml);

const LOOK = {
  m: 0, p: 1.5, overflow: "auto", maxHeight: 480, bgcolor: "background.default", borderRadius: 1, lineHeight: 1.5,
  "& .hljs-keyword, & .hljs-attr": { color: "var(--s-accent)", fontWeight: 600 },
  "& .hljs-string": { color: "var(--s-done)" },
  "& .hljs-comment": { color: "var(--s-pending)", fontStyle: "italic" },
  "& .hljs-number, & .hljs-literal": { color: "var(--s-doubt)" },
  "& .hljs-built_in, & .hljs-type, & .hljs-title": { color: "var(--s-quarantined)" },
};

/** A text of the job with its words in colour; a language that is not known stays as it is. */
export function Code({ path, text }: { path: string; text: string }) {
  const language = path.split(".").pop() ?? "";
  const html = useMemo(() => (hljs.getLanguage(language) ? hljs.highlight(text, { language }).value : null), [language, text]);
  return (
    <Box component="pre" tabIndex={0} role="region" aria-label={path} sx={LOOK}>
      {html === null ? <code>{text}</code> : <code dangerouslySetInnerHTML={{ __html: html }} />}
    </Box>
  );
}
