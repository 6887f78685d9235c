import Foundation
import OctNet

/// The likeliest classes of one image.
struct Prediction: Encodable {
  struct Class: Encodable {
    let name: String
    let probability: Double
  }

  let image: String
  /// What a data set says that it shows.
  let label: String?
  let classes: [Class]

  /// Equal probabilities rank by class.
  init(image: String, label: String? = nil, probabilities: [Double], names: [String], count: Int) {
    self.image = image
    self.label = label
    let ranked = probabilities.indices.sorted {
      (probabilities[$1], $0) < (probabilities[$0], $1)
    }
    classes = ranked.prefix(count).map { Class(name: names[$0], probability: probabilities[$0]) }
  }

  static func table(_ predictions: [Prediction]) -> String {
    let hasLabels = predictions.contains { $0.label != nil }
    var table = TextTable(header: ["image", "class", "probability"] + (hasLabels ? ["label"] : []))
    for prediction in predictions {
      for (rank, entry) in prediction.classes.enumerated() {
        let label = rank == 0 ? prediction.label ?? "" : ""
        table.add(
          [
            rank == 0 ? prediction.image : "", entry.name, String(format: "%.2f%%", 100 * entry.probability),
          ] + (hasLabels ? [label] : []))
      }
    }
    return table.description
  }

  /// - Parameter labels: whether there is a column for them, as of a data set.
  static func csv(_ predictions: [Prediction], labels: Bool) -> String {
    func quoted(_ text: String) -> String {
      guard text.unicodeScalars.contains(where: { "\",\r\n".unicodeScalars.contains($0) }) else {
        return text
      }
      return "\"" + text.replacingOccurrences(of: "\"", with: "\"\"") + "\""
    }
    let rows = predictions.flatMap { prediction in
      prediction.classes.enumerated().map { rank, entry in
        "\(quoted(prediction.image)),\(rank + 1),\(quoted(entry.name)),\(String(format: "%.9g", entry.probability))"
          + (labels ? ",\(quoted(prediction.label ?? ""))" : "")
      }
    }
    return (["image,rank,class,probability" + (labels ? ",label" : "")] + rows).joined(separator: "\n")
  }
}
