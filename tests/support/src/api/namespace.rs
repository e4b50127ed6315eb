//! A network of the test's own, in which addresses and names of the internet are this machine's. Making one takes root.

use std::{
    fs::{self, File},
    io,
    net::{SocketAddr, TcpListener, UdpSocket},
    os::fd::AsFd as _,
    path::{Path, PathBuf},
    process::Command,
    sync::atomic::{AtomicUsize, Ordering},
    thread,
};

use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};

/// What begins the name of each; the number of the process that made it follows.
const PREFIX: &str = "pinfold-test-";

/// Tests of one process make several.
static MADE: AtomicUsize = AtomicUsize::new(0);

/// The network, until it is dropped.
#[derive(Debug)]
pub struct Namespace(String);

impl Namespace {
    /// One in which these addresses are, and nothing else.
    pub fn new(addresses: &[&str]) -> Self {
        sweep();
        let number = MADE.fetch_add(1, Ordering::Relaxed);
        let network = Self(format!("{PREFIX}{}-{number}", std::process::id()));
        ip(&["netns", "add", &network.0]);
        let inside = |arguments: &[&str]| ip(&[&["-n", &network.0], arguments].concat());
        inside(&["link", "set", "lo", "up"]);
        for address in addresses {
            inside(&["address", "add", address, "dev", "lo"]);
        }
        fs::create_dir_all(network.folder()).expect("a folder for its names");
        network.write("nsswitch.conf", "hosts: files dns\n");
        network.write("host.conf", "multi on\n");
        network.write("resolv.conf", "options timeout:2 attempts:1\n");
        network.write("hosts", "");
        network
    }

    /// Names that resolve there, each with one of its addresses.
    pub fn name(&self, hosts: &[(&str, &str)]) {
        let lines = hosts.iter().map(|(name, address)| format!("{address} {name}\n"));
        self.write("hosts", &lines.collect::<String>());
    }

    /// Who is asked for names that are not known.
    pub fn ask_for_names(&self, server: &str) {
        let lines = format!("nameserver {server}\noptions timeout:2 attempts:1\n");
        self.write("resolv.conf", &lines);
    }

    /// What goes before a command that is to run there.
    pub(super) fn enter(&self) -> String {
        format!("ip netns exec {}", self.0)
    }

    /// Listens there.
    pub fn listen(&self, address: &str) -> TcpListener {
        let address: SocketAddr = address.parse().expect("an address");
        self.inside(move || TcpListener::bind(address))
    }

    /// Takes datagrams there.
    pub fn take_datagrams(&self, address: &str) -> UdpSocket {
        let address: SocketAddr = address.parse().expect("an address");
        self.inside(move || UdpSocket::bind(address))
    }

    /// A socket stays where it was made: a thread goes there, makes it and ends.
    fn inside<T: Send + 'static>(&self, make: impl FnOnce() -> io::Result<T> + Send + 'static) -> T {
        let place = File::open(Path::new("/run/netns").join(&self.0)).expect("the network");
        let helper = thread::spawn(move || {
            move_into_link_name_space(place.as_fd(), Some(LinkNameSpaceType::Network))?;
            make()
        });
        helper
            .join()
            .expect("the thread ends")
            .expect("a socket in the network")
    }

    /// Files that lie here lie in /etc for whoever runs in the network (`ip-netns(8)`).
    fn folder(&self) -> PathBuf {
        Path::new("/etc/netns").join(&self.0)
    }

    /// In place: who has it mounted sees it, too.
    fn write(&self, file: &str, text: &str) {
        fs::write(self.folder().join(file), text).expect("write a file of names");
    }
}

impl Drop for Namespace {
    fn drop(&mut self) {
        remove(&self.0);
    }
}

fn ip(arguments: &[&str]) {
    let done = Command::new("ip")
        .args(arguments)
        .output()
        .expect("the Debian package iproute2");
    let told = String::from_utf8_lossy(&done.stderr);
    assert!(
        done.status.success(),
        "this test makes a network of its own, which takes root and the right to make network namespaces: ip {}: {told}",
        arguments.join(" ")
    );
}

/// It is gone at the latest when nobody runs in it any more.
fn remove(name: &str) {
    let _ = Command::new("ip").args(["netns", "delete", name]).output();
    let _ = fs::remove_dir_all(Path::new("/etc/netns").join(name));
}

/// Removes what runs left that were killed.
fn sweep() {
    for entry in fs::read_dir("/run/netns").into_iter().flatten().flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        let process = name.strip_prefix(PREFIX).and_then(|rest| rest.split_once('-'));
        if process.is_some_and(|(process, _)| !Path::new("/proc").join(process).exists()) {
            remove(&name);
        }
    }
}
