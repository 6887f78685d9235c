import ArgumentParser
import Foundation
import OctNet

struct SummaryCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "summary",
    abstract: "Show what a network costs: parameters, multiply–accumulates, activation memory.",
    discussion: """
      One row a stage, all for one image. Multiply–accumulates (macs) are those of \
      convolutions and linear layers. Activation memory is that of all float32 feature \
      maps that are computed. The ratios compare with the ordinary network of that name \
      (α = 0, strided).

      Examples:
        octcli summary --model resnet50 --alpha 0.125
        octcli summary --model resnet20 --alpha 0.5 --json
        octcli summary --model resnet50 --stem imagenet --image-size 32 --classes 10
      """)

  @OptionGroup var network: NetworkOptions

  @Flag(help: "Print JSON: parameters and macs as integers, total and for each stage.")
  var json = false

  func run() throws {
    let configuration = network.configuration()
    var ordinary = configuration
    ordinary.alpha = 0
    ordinary.downsampling = .strided
    let cost = try configuration.makeGraph().costSummary()
    let reference = try ordinary.makeGraph().costSummary()
    if json {
      try Terminal.print(
        JSONOutput.text(CostReport(configuration: configuration, cost: cost, reference: reference)))
    } else {
      try Terminal.print(configuration.heading + "\n")
      try Terminal.print(Self.table(cost, reference: reference))
    }
  }

  private static func table(_ cost: CostSummary, reference: CostSummary) -> String {
    var table = TextTable(header: ["stage", "parameters", "macs", "to α=0", "activations", "to α=0"])
    for row in cost.stages + [cost.total] {
      let other = (reference.stages + [reference.total]).first { $0.name == row.name }
      table.add([
        row.name, TextTable.grouped(row.parameters), TextTable.grouped(row.macs),
        ratio(row.macs, other?.macs), String(format: "%.2f MiB", Double(row.activationBytes) / 1_048_576),
        ratio(row.activationBytes, other?.activationBytes),
      ])
    }
    return table.description
  }

  private static func ratio(_ value: Int, _ reference: Int?) -> String {
    guard let reference, reference > 0 else { return "–" }
    return String(format: "%.3f", Double(value) / Double(reference))
  }
}

/// What `summary --json` prints.
private struct CostReport: Encodable {
  let model: ModelConfiguration
  let parameters, macs, activationBytes: Int
  /// To the ordinary network of the same name.
  let macsRatio, activationBytesRatio: Double
  let stages: [CostSummary.Row]

  init(configuration: ModelConfiguration, cost: CostSummary, reference: CostSummary) {
    model = configuration
    parameters = cost.total.parameters
    macs = cost.total.macs
    activationBytes = cost.total.activationBytes
    macsRatio = Double(macs) / Double(reference.total.macs)
    activationBytesRatio = Double(activationBytes) / Double(reference.total.activationBytes)
    stages = cost.stages
  }
}
