import ArgumentParser
import OctNet

struct ModelsCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "models",
    abstract: "List the networks that --model knows.",
    discussion: """
      Parameters and multiply–accumulates (macs) are those of the ordinary network (α = 0) with its usual stem: at \
      224×224 with 1000 classes, or with the cifar stem at 32×32 with 10. `octcli summary --model NAME` tells more.

      Examples:
        octcli models
        octcli models --json
      """)

  @Flag(help: "Print JSON.")
  var json = false

  func run() throws {
    let rows = try NamedModel.all.map { try ModelRow($0) }
    guard !json else { return try Terminal.print(JSONOutput.text(rows)) }
    var table = TextTable(header: ["name", "image", "parameters", "macs", "α", "width", "stems"])
    for row in rows {
      table.add([
        row.name, "\(row.imageSize)×\(row.imageSize)", TextTable.grouped(row.parameters),
        TextTable.grouped(row.macs), row.alphas, row.takesWidthMultiplier ? "any" : "–",
        row.stems.joined(separator: ", "),
      ])
    }
    try Terminal.print(table.description)
  }
}

/// What `models --json` prints of each network.
private struct ModelRow: Encodable {
  let name: String
  let imageSize, classes, parameters, macs: Int
  let alphas: String
  let takesWidthMultiplier: Bool
  /// The usual one first.
  let stems: [String]

  init(_ model: NamedModel) throws {
    name = model.name
    imageSize = model.usualStem.usualImageSize
    classes = model.usualStem.usualClasses
    let cost = try ModelConfiguration(
      name: model.name, classes: classes, inputHeight: imageSize, inputWidth: imageSize
    ).makeGraph().costSummary()
    (parameters, macs) = (cost.total.parameters, cost.total.macs)
    alphas = model.alphas.description
    takesWidthMultiplier = model.takesWidthMultiplier
    stems = ([model.usualStem] + model.stems.filter { $0 != model.usualStem }).map(\.rawValue)
  }
}
