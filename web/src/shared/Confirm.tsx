import { Button, Dialog, DialogActions, DialogContent, DialogContentText, DialogTitle } from "@mui/material";

export interface Question {
  title: string;
  /** One sentence: what happens to what is in flight. */
  says: string;
  yes: string;
  act: () => void;
}

/** Asks once. */
export function Confirm({ question, close }: { question: Question | null; close: () => void }) {
  return (
    <Dialog open={question !== null} onClose={close} aria-labelledby="confirm-title">
      <DialogTitle id="confirm-title">{question?.title}</DialogTitle>
      <DialogContent><DialogContentText>{question?.says}</DialogContentText></DialogContent>
      <DialogActions>
        <Button onClick={close}>Cancel</Button>
        <Button variant="contained" autoFocus onClick={() => { question?.act(); close(); }}>{question?.yes}</Button>
      </DialogActions>
    </Dialog>
  );
}
