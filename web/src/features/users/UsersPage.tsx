/** People and programs: who may do what. */
import { Stack, Typography } from "@mui/material";
import { Tokens } from "./Tokens";
import { Users } from "./Users";

export default function UsersPage() {
  return (
    <Stack sx={{ gap: 2 }}>
      <Typography variant="h1">Users and tokens</Typography>
      <Users />
      <Tokens />
    </Stack>
  );
}
