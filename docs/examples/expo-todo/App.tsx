import { createClient } from "@galley/sdk";
import { GalleyProvider, useAuth, useConnection, useLive, useMutation } from "@galley/sdk/react";
import AsyncStorage from "@react-native-async-storage/async-storage";
import { getRandomValues } from "expo-crypto";
import { useEffect, useState } from "react";
import { AppState, FlatList, Pressable, StyleSheet, Text, TextInput, useColorScheme, View } from "react-native";

// React Native brings no random source of its own, and ids must not be guessed.
globalThis.crypto ??= { getRandomValues } as Crypto;

const db = createClient<{ todos: { title: string; done: boolean } }>({
  url: process.env.EXPO_PUBLIC_GALLEY_URL ?? "http://127.0.0.1:4600",
  storage: AsyncStorage,
});
const todos = db.collection("todos");

export default function App() {
  const { page } = useColors();
  useEffect(() => {
    // A phone cuts off what runs in the background. Coming back, every result is brought up to date by itself.
    const subscription = AppState.addEventListener("change", (state) => {
      if (state === "background") db.connection.pause();
      if (state === "active") db.connection.resume();
    });
    return () => subscription.remove();
  }, []);
  return (
    <GalleyProvider client={db}>
      <View style={[styles.page, { backgroundColor: page }]}>
        <Home />
      </View>
    </GalleyProvider>
  );
}

function Home() {
  const { user, loading } = useAuth();
  // The session is read from a storage that takes its time.
  if (loading) return null;
  return user ? <Todos /> : <Entry />;
}

function Entry() {
  const { auth } = useAuth();
  const [email, setEmail] = useState("");
  const [password, setPassword] = useState("");
  const enter = useMutation((way: "signIn" | "signUp") => auth[way]({ email, password }));
  return (
    <View style={styles.form}>
      <Heading>Todos</Heading>
      <Field label="Email" value={email} onChangeText={setEmail} inputMode="email" autoCapitalize="none" />
      <Field label="Password" value={password} onChangeText={setPassword} secureTextEntry autoCapitalize="none" />
      <Button label="Sign in" isMain disabled={enter.pending} onPress={() => enter.run("signIn")} />
      <Button label="Make an account" disabled={enter.pending} onPress={() => enter.run("signUp")} />
      <Problem error={enter.error} />
    </View>
  );
}

function Todos() {
  const { auth } = useAuth();
  const { data, error } = useLive(todos.find({}, { sort: "-_createdAt", limit: 500 }));
  const isOffline = useConnection() === "waiting";
  const [title, setTitle] = useState("");
  // Shown at once, and taken back if the server refuses it.
  const write = useMutation((work: () => Promise<unknown>) => work());
  const add = () => {
    if (title.trim() === "") return;
    write.run(() => todos.create({ title: title.trim(), done: false }));
    setTitle("");
  };
  return (
    <View style={styles.form}>
      <View style={styles.row}>
        <Heading>Todos</Heading>
        <Button label="Sign out" onPress={() => write.run(() => auth.signOut())} />
      </View>
      <Field label="What is there to do?" value={title} onChangeText={setTitle} onSubmitEditing={add} />
      <Button label="Add" isMain onPress={add} />
      <Problem error={write.error ?? error} />
      {isOffline && <Line>Not connected: trying again.</Line>}
      <FlatList
        data={data ?? []}
        keyExtractor={({ _id }) => _id}
        renderItem={({ item: { _id, title, done } }) => (
          <View style={styles.row}>
            <Pressable
              role="checkbox"
              aria-checked={done}
              aria-label={title}
              style={styles.todo}
              onPress={() => write.run(() => todos.update(_id, { done: !done }))}
            >
              <Line>{done ? "☑" : "☐"}</Line>
              <Line isDone={done}>{title}</Line>
            </Pressable>
            <Button label="Delete" of={title} onPress={() => write.run(() => todos.delete(_id))} />
          </View>
        )}
      />
    </View>
  );
}

function Heading({ children }: { children: string }) {
  return <Text style={[styles.heading, { color: useColors().text }]}>{children}</Text>;
}

function Line({ children, isDone = false }: { children: string; isDone?: boolean }) {
  const { text, quiet } = useColors();
  const done = { color: quiet, textDecorationLine: "line-through" } as const;
  return <Text style={[styles.text, isDone ? done : { color: text }]}>{children}</Text>;
}

function Problem({ error }: { error: Error | undefined }) {
  const { ill } = useColors();
  return (
    <Text role="alert" style={[styles.text, { color: ill }]}>
      {error?.message}
    </Text>
  );
}

function Field({ label, ...input }: { label: string } & React.ComponentProps<typeof TextInput>) {
  const { field, line, text } = useColors();
  const style = [styles.field, { backgroundColor: field, borderColor: line, color: text }];
  return (
    <View>
      <Line>{label}</Line>
      <TextInput {...input} aria-label={label} style={style} />
    </View>
  );
}

interface ButtonProps {
  label: string;
  /** What it is about, for those who do not see where it stands. */
  of?: string;
  isMain?: boolean;
  disabled?: boolean;
  onPress: () => void;
}

function Button({ label, of = "", isMain = false, disabled = false, onPress }: ButtonProps) {
  const { accent, field, line, page, text } = useColors();
  const colors = isMain
    ? { backgroundColor: accent, borderColor: accent }
    : { backgroundColor: field, borderColor: line };
  return (
    <Pressable
      role="button"
      aria-label={`${label} ${of}`.trim()}
      {...{ disabled, onPress }}
      style={[styles.button, colors]}
    >
      <Text style={[styles.text, { color: isMain ? page : text }]}>{label}</Text>
    </Pressable>
  );
}

const LIGHT = {
  page: "#f4f6f6",
  field: "#fff",
  text: "#1c2326",
  quiet: "#566167",
  line: "#cfd6d9",
  accent: "#0b6e75",
  ill: "#b3261e",
};
const DARK = {
  page: "#14181a",
  field: "#1d2427",
  text: "#e7ebec",
  quiet: "#a4b0b5",
  line: "#3d484c",
  accent: "#5fc4cb",
  ill: "#ff8a80",
};
const useColors = () => (useColorScheme() === "dark" ? DARK : LIGHT);

const styles = StyleSheet.create({
  page: { flex: 1, paddingTop: 64, paddingHorizontal: 16 },
  form: { flex: 1, gap: 12, width: "100%", maxWidth: 544, alignSelf: "center" },
  row: { flexDirection: "row", alignItems: "center", justifyContent: "space-between", gap: 12, paddingVertical: 6 },
  heading: { fontSize: 32, fontWeight: "700" },
  text: { fontSize: 17, lineHeight: 26, flexShrink: 1 },
  todo: { flex: 1, flexDirection: "row", gap: 12 },
  field: { fontSize: 17, padding: 12, borderWidth: 1, borderRadius: 8, marginTop: 4 },
  button: { alignItems: "center", paddingVertical: 8, paddingHorizontal: 14, borderWidth: 1, borderRadius: 8 },
});
