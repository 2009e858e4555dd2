//! The program `equilux`; everything is in the library.

fn main() -> std::process::ExitCode {
    equilux::cli::main()
}
