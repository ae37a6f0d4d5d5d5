//! What was asked and what came back, as a text to compare with the stored one; whatever differs
//! from run to run is replaced by a name.

use crate::cluster::{Process, billing_node};
use crate::http_client::{HttpClient, NoReply};
use std::path::Path;
use std::process::Stdio;

/// A story of requests or commands.
#[derive(Debug, Default)]
pub(crate) struct Transcript {
    text: String,
    replaced: Vec<(String, &'static str)>,
}

impl Transcript {
    /// From here on `name` stands for `text`.
    pub(crate) fn replace(&mut self, text: impl Into<String>, name: &'static str) {
        self.replaced.push((text.into(), name));
    }

    /// As [`Transcript::replace`], for a path.
    pub(crate) fn replace_path(&mut self, path: &Path, name: &'static str) {
        self.replace(path.display().to_string(), name);
    }

    fn line(&mut self, line: &str) {
        self.text.push_str(line);
        self.text.push('\n');
    }

    /// Sends a request and notes what comes back. `title` says what is wrong with it.
    pub(crate) fn request(
        &mut self,
        client: &mut HttpClient,
        title: &str,
        (method, path): (&str, &str),
        headers: &[(&str, &str)],
        body: &[u8],
    ) {
        self.line(&format!("== {title}"));
        self.line(&format!("{method} {path}"));
        match client.send(method, path, headers, body) {
            Ok(reply) => {
                let kind = reply.header("content-type").unwrap_or("no content type");
                self.line(&format!("-> {} {kind}", reply.status));
                for name in ["allow", "retry-after"] {
                    if let Some(value) = reply.header(name) {
                        self.line(&format!("{name}: {value}"));
                    }
                }
                let body = match serde_json::from_slice::<serde_json::Value>(&reply.body) {
                    Ok(json) => serde_json::to_string_pretty(&json).expect("JSON is JSON"),
                    Err(_) => reply.text().to_owned(),
                };
                self.line(&body);
            }
            Err(NoReply::Refused(error) | NoReply::Lost(error)) => {
                panic!("{title}: no answer: {error}")
            }
        }
        self.line("");
    }

    /// Runs a command to its end and notes exit code and words. `title` says what is wrong.
    pub(crate) fn command(&mut self, title: &str, arguments: &[&str]) {
        self.line(&format!("== {title}"));
        self.line(&format!("$ billing-node {}", arguments.join(" ")));
        let mut command = billing_node();
        command.args(arguments).stdout(Stdio::piped()).stderr(Stdio::piped());
        let (code, words) = Process::start(&mut command).finish();
        self.line(words.trim_end());
        self.line(&format!("-> exit code {code}"));
        self.line("");
    }

    /// The text, with names for what was replaced.
    pub(crate) fn finish(self) -> String {
        let mut text = self.text;
        for (found, name) in &self.replaced {
            text = text.replace(found, name);
        }
        text
    }
}
