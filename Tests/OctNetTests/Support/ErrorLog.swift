import Foundation

/// Prints measured errors when OCTNET_PRINT_ERRORS is set, for choosing tolerances.
enum ErrorLog {
  private static let isOn = ProcessInfo.processInfo.environment["OCTNET_PRINT_ERRORS"] != nil

  static func note(_ error: Double, _ label: @autoclosure () -> String) {
    if isOn { print("measured \(error) \(label())") }
  }
}
