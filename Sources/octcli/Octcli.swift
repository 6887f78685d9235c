import ArgumentParser

@main
struct Octcli: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "octcli", abstract: "Train and run octave convolutional networks on the CPU.")
}
